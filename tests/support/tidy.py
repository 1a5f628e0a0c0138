"""Rules of taste for one source file: each takes the parsed file and gives one sentence per finding."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

MODULE_LINES = 600
FUNCTION_LINES = 70
PUBLIC_METHODS = 12
PARAMETERS = 5
REPEATED_STATEMENTS = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A file: its path from the root of the repository, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """The room of a source file; empty for tests and benches."""
        parts = self.path.split("/")
        return parts[2].removesuffix(".py") if parts[:2] == ["src", "sextant"] else ""

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield node

    def said(self, line: int, words: str) -> str:
        return f"{self.path}:{line}: {words}"


Rule = Callable[[Source], list[str]]


def long_module(source: Source) -> list[str]:
    lines = source.text.count("\n")
    return (
        [source.said(1, f"{lines} lines; a module has at most {MODULE_LINES}")]
        if lines > MODULE_LINES
        else []
    )


def long_function(source: Source) -> list[str]:
    found = []
    for function in source.functions():
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            found.append(
                source.said(function.lineno, f"{function.name} has {lines} lines; at most {FUNCTION_LINES}")
            )
    return found


def crowded_class(source: Source) -> list[str]:
    found = []
    for item in source.classes():
        public = {
            node.name
            for node in item.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
        }
        if len(public) > PUBLIC_METHODS:
            found.append(
                source.said(
                    item.lineno, f"{item.name} has {len(public)} public methods; at most {PUBLIC_METHODS}"
                )
            )
    return found


KERNELS = ("compiled", "njit", "numba.njit")
"""Decorators that make a function a compiled kernel."""


def many_parameters(source: Source) -> list[str]:
    """Commands of the command line are exempt: their options are their parameters; so are tests and benches.

    Compiled kernels are exempt, too: the compiler knows arrays and numbers, not records.
    """
    if source.room in ("", "cli", "__main__"):
        return []
    found = []
    for function in source.functions():
        if any(ast.unparse(decorator).partition("(")[0] in KERNELS for decorator in function.decorator_list):
            continue
        arguments = function.args
        names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        own = names[1:] if names[:1] in (["self"], ["cls"]) else names
        if len(own) > PARAMETERS:
            found.append(
                source.said(
                    function.lineno,
                    f"{function.name} takes {len(own)} parameters; beyond {PARAMETERS} a frozen record",
                )
            )
    return found


def method_twice(source: Source) -> list[str]:
    found = []
    for item in source.classes():
        names = Counter(
            node.name
            for node in item.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _further_part(node)
        )
        found += [
            source.said(item.lineno, f"{item.name}.{name} is defined {count} times")
            for name, count in names.items()
            if count > 1
        ]
    return found


def _further_part(node: Function) -> bool:
    """Whether a definition belongs to another of its name: a setter, or a signature of an overload."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in (
            "setter",
            "deleter",
            "getter",
            "overload",
        ):
            return True
        if isinstance(decorator, ast.Name) and decorator.id == "overload":
            return True
    return False


class _Renamed(ast.NodeTransformer):
    """Gives parameters and local names numbers, so that a copy with other names is the same."""

    def __init__(self, function: Function) -> None:
        self._names: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.arg):
                self._names.setdefault(node.arg, f"_{len(self._names)}")
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._names.setdefault(node.id, f"_{len(self._names)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:  # the name ast calls
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._names.get(node.arg, node.arg), None)


def bodies(source: Source) -> list[tuple[str, str]]:
    """Where each function of enough statements is, and its body without names, notes and docstring."""
    found = []
    for function in source.functions():
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        statements = sum(isinstance(node, ast.stmt) for part in body for node in ast.walk(part))
        if statements >= REPEATED_STATEMENTS:
            rename = _Renamed(function)
            # Parsing anew leaves the tree of the file as it was for the other rules.
            shape = "\n".join(ast.dump(rename.visit(ast.parse(ast.unparse(part)))) for part in body)
            found.append((f"{source.path}:{function.lineno}: {function.name}", shape))
    return found


def repeated_bodies(sources: list[Source]) -> list[str]:
    places: dict[str, list[str]] = {}
    for source in sources:
        for place, shape in bodies(source):
            places.setdefault(shape, []).append(place)
    return [f"{' and '.join(same)} have one body" for same in places.values() if len(same) > 1]


def hidden_import(source: Source) -> list[str]:
    """Commands import when called, so that help is instant; nobody else hides an import."""
    if source.room in ("cli", "__main__"):
        return []
    return [
        source.said(node.lineno, f"an import inside {function.name}")
        for function in source.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


SUPERVISORS = {
    "src/sextant/api/hot_door.py": 1,  # a request that did not come by the framework's router
    "src/sextant/scans/crew.py": 1,  # the run of a plug-in
    "src/sextant/scans/worker.py": 1,  # the task of a scan
}
"""Places that may catch everything, with how many times; each records what it caught and re-labels it."""


def catching_lines(source: Source) -> list[int]:
    """Lines of the handlers that catch everything."""
    return [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _is_everything(node.type))
    ]


def catches_everything(source: Source) -> list[str]:
    lines = catching_lines(source)
    if len(lines) <= SUPERVISORS.get(source.path, 0):
        return []
    return [source.said(line, "catches everything, and is no named supervisor") for line in lines]


def _is_everything(node: ast.expr) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names)


_CLOCKS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "localtime",
    "gmtime",
}
_NOWS = {"now", "utcnow", "today"}
_CHANCE = {"random", "secrets", "uuid"}


def out_of_place(source: Source) -> list[str]:
    """Printing, reading a clock, and chance, each outside the room that owns it."""
    if not source.room:
        return []
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            if source.room != "cli":
                found.append(source.said(node.lineno, "prints outside the command line"))
        elif isinstance(node, ast.Attribute):
            found += _of_attribute(source, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += _of_import(source, node)
    return found


def _of_attribute(source: Source, node: ast.Attribute) -> list[str]:
    owner = ast.unparse(node.value)
    if source.path != "src/sextant/kit/clock.py":
        if owner == "time" and node.attr in _CLOCKS:
            return [source.said(node.lineno, f"reads time.{node.attr} outside kit.clock")]
        if owner.split(".")[-1] in ("datetime", "date") and node.attr in _NOWS:
            return [source.said(node.lineno, f"reads {owner}.{node.attr} outside kit.clock")]
    if source.path != "src/sextant/kit/ids.py":
        if (owner, node.attr) == ("os", "urandom"):
            return [source.said(node.lineno, "os.urandom outside kit.ids")]
        if owner in ("np", "numpy") and node.attr == "random" and source.room != "sim":
            return [source.said(node.lineno, "numpy.random outside sim")]
    return []


def _of_import(source: Source, node: ast.Import | ast.ImportFrom) -> list[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
    roots = {name.partition(".")[0] for name in names}
    found = []
    if roots & _CHANCE and source.path != "src/sextant/kit/ids.py" and source.room != "sim":
        found.append(
            source.said(node.lineno, f"imports {', '.join(sorted(roots & _CHANCE))} outside kit.ids and sim")
        )
    if "time" in roots and source.path != "src/sextant/kit/clock.py":
        found.append(source.said(node.lineno, "imports time outside kit.clock"))
    return found


_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def put_off(source: Source) -> list[str]:
    """Comments that put something off."""
    return [
        source.said(line, f"'{words.strip()[:60]}' puts work off; it belongs into a record in docs")
        for line, words in comments(source)
        if _LATER.search(words)
    ]


def comments(source: Source) -> Iterator[tuple[int, str]]:
    """Line and text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


RULES: tuple[Rule, ...] = (
    long_module,
    long_function,
    crowded_class,
    many_parameters,
    method_twice,
    hidden_import,
    catches_everything,
    out_of_place,
    put_off,
)
