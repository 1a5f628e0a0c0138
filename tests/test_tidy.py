"""Taste as tests: every rule sees what is planted, leaves alone what is right, and holds for the tree."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from support import tidy, tidy_tree, tidy_words
from support.tidy import Source

ROOT = Path(__file__).resolve().parent.parent
HERE = "src/sextant/market/x.py"


@cache
def files() -> tuple[str, ...]:
    return tuple(tidy_tree.files_of(ROOT))


@cache
def sources() -> tuple[Source, ...]:
    return tuple(
        Source(path, (ROOT / path).read_text(encoding="utf-8")) for path in files() if path.endswith(".py")
    )


@cache
def texts() -> dict[str, str]:
    found = {}
    for path in files():
        try:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # pictures and fonts say nothing
    return found


def told(findings: list[str]) -> str:
    return "\n" + "\n".join(findings)


# ---- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [*tidy.RULES, tidy_words.refused_words, tidy_words.refused_names],
    ids=lambda rule: str(rule.__name__),
)
def test_every_source_file_keeps_the_rule(rule: tidy.Rule) -> None:
    findings = [finding for source in sources() for finding in rule(source)]
    assert not findings, told(findings)


def test_no_body_is_written_twice() -> None:
    findings = tidy.repeated_bodies(list(sources()))
    assert not findings, told(findings)


@pytest.mark.parametrize(
    "rule",
    [tidy_tree.left_overs, tidy_tree.root_entries, tidy_tree.module_beside_package],
    ids=lambda rule: str(rule.__name__),
)
def test_the_files_keep_the_rule(rule: object) -> None:
    findings = rule(files())  # type: ignore[operator]
    assert not findings, told(findings)


def test_every_source_file_has_its_test_file() -> None:
    findings = tidy_tree.untested_modules(files())
    assert not findings, told(findings)


def test_no_file_is_large() -> None:
    findings = tidy_tree.large_files({path: (ROOT / path).stat().st_size for path in files()})
    assert not findings, told(findings)


def test_every_change_file_has_its_shape() -> None:
    findings = tidy_tree.change_files(
        {path: text for path, text in texts().items() if path.startswith("changes/")}
    )
    assert not findings, told(findings)


def test_no_file_names_a_place_of_one_machine() -> None:
    own = ("uv.lock", "tests/test_tidy.py")
    findings = tidy_tree.machine_paths({path: text for path, text in texts().items() if path not in own})
    assert not findings, told(findings)


def test_no_module_is_dead() -> None:
    findings = tidy_tree.dead_modules(sources())
    assert not findings, told(findings)


def test_every_exception_of_the_lists_is_still_needed() -> None:
    """An allowance for a file that has gone is a trap for the next one of its name."""
    places = {*tidy.SUPERVISORS, *tidy_tree.LARGE, *tidy_tree.MADE_UP_PATHS}
    assert {place for place in places if place not in files()} == set()
    caught = {source.path: len(tidy.catching_lines(source)) for source in sources()}
    assert {path: caught[path] for path in tidy.SUPERVISORS} == tidy.SUPERVISORS


# ---- the rules -----------------------------------------------------------------------------------


def body_of(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


SEEN: list[tuple[tidy.Rule, str, str, str]] = [
    (tidy.long_module, HERE, "\n" * 601, "601 lines"),
    (tidy.long_function, HERE, body_of(71), "f has 71 lines"),
    (
        tidy.crowded_class,
        HERE,
        "class C:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(13)),
        "C has 13 public methods",
    ),
    (tidy.many_parameters, HERE, "def f(a, b, c, /, d, *, e, g): ...\n", "f takes 6 parameters"),
    (tidy.many_parameters, HERE, "class C:\n    def m(self, a, b, c, d, e, g): ...\n", "m takes 6"),
    (
        tidy.method_twice,
        HERE,
        "class C:\n    def m(self): ...\n    def n(self): ...\n    def m(self): ...\n",
        "C.m is defined 2 times",
    ),
    (tidy.hidden_import, HERE, "def f():\n    import json\n", "an import inside f"),
    (tidy.hidden_import, HERE, "async def f():\n    if f:\n        from json import loads\n", "inside f"),
    (tidy.catches_everything, HERE, "try:\n    f()\nexcept Exception:\n    g()\n", "x.py:3: catches"),
    (tidy.catches_everything, HERE, "try:\n    f()\nexcept:\n    g()\n", "catches everything"),
    (tidy.catches_everything, HERE, "try:\n    f()\nexcept (OSError, BaseException):\n    g()\n", "catches"),
    (
        tidy.catches_everything,
        "src/sextant/scans/worker.py",
        "try:\n    f()\nexcept Exception:\n    g()\n" * 3,
        "no named supervisor",
    ),
    (tidy.out_of_place, HERE, "print(1)\n", "prints"),
    (tidy.out_of_place, HERE, "import time\n", "imports time"),
    (tidy.out_of_place, HERE, "x = time.monotonic()\n", "time.monotonic"),
    (tidy.out_of_place, HERE, "x = datetime.datetime.now(tz=datetime.UTC)\n", "datetime.now"),
    (tidy.out_of_place, HERE, "x = date.today()\n", "date.today"),
    (tidy.out_of_place, HERE, "from random import random\n", "imports random"),
    (tidy.out_of_place, HERE, "import uuid, secrets\n", "imports secrets, uuid"),
    (tidy.out_of_place, HERE, "x = os.urandom(8)\n", "os.urandom"),
    (tidy.out_of_place, HERE, "x = np.random.default_rng(1)\n", "numpy.random"),
    (tidy.put_off, HERE, "x = 1  # TODO: later\n", "puts work off"),
    (tidy.put_off, HERE, "# FIXME\n", "puts work off"),
    (tidy_words.refused_words, HERE, "candles = 1\n", "says 'candles'; say bars"),
    (tidy_words.refused_words, HERE, "class KlineStore: ...\n", "says 'kline'; say bar"),
    (tidy_words.refused_words, HERE, "def f(symbol): ...\n", "say instrument"),
    (tidy_words.refused_words, HERE, '"""The ticker."""\n', "x.py:1: says 'ticker'"),
    (tidy_words.refused_words, HERE, '"""One.\n\nOur bot.\n"""\n', "x.py:3: says 'bot'"),
    (tidy_words.refused_words, HERE, "x = 1  # the scanner\n", "says 'scanner'"),
    (tidy_words.refused_words, HERE, "class ScanEngine: ...\n", "says 'engine'"),
    (tidy_words.refused_words, "src/sextant/venues/session.py", "kline = 1\n", "says 'kline'"),
    (tidy_words.refused_names, HERE, "class BookManager: ...\n", "BookManager"),
    (tidy_words.refused_names, HERE, "class SmartScorer: ...\n", "SmartScorer"),
    (tidy_words.refused_names, HERE, "def score_v2(): ...\n", "score_v2"),
    (tidy_words.refused_names, HERE, "score_old = 1\n", "score_old"),
    (tidy_words.refused_names, "src/sextant/kit/http_utils.py", "", "http_utils"),
    (tidy_words.refused_names, "tests/support/views_new.py", "", "views_new"),
]


@pytest.mark.parametrize(("rule", "path", "text", "words"), SEEN)
def test_a_planted_violation_is_seen(rule: tidy.Rule, path: str, text: str, words: str) -> None:
    findings = rule(Source(path, text))
    assert findings
    assert words in findings[0]
    assert findings[0].startswith(path)


RIGHT: list[tuple[tidy.Rule, str, str]] = [
    (tidy.long_module, HERE, "\n" * 600),
    (tidy.long_function, HERE, body_of(70)),
    (
        tidy.crowded_class,
        HERE,
        "class C:\n"
        + "".join(f"    def m{n}(self): ...\n" for n in range(12))
        + "    def _own(self): ...\n    def __len__(self): ...\n",
    ),
    (tidy.many_parameters, HERE, "class C:\n    def m(self, a, b, c, d, e): ...\n"),
    (tidy.many_parameters, "src/sextant/cli/x.py", "def f(a, b, c, d, e, g): ...\n"),
    (
        tidy.method_twice,
        HERE,
        "class C:\n    @property\n    def m(self): ...\n    @m.setter\n    def m(self, v): ...\n",
    ),
    (
        tidy.method_twice,
        HERE,
        "class C:\n    @overload\n    def m(self, a: int): ...\n    @typing.overload\n    def m(self, a: str): ...\n    def m(self, a): ...\n",
    ),
    (tidy.hidden_import, "src/sextant/cli/x.py", "def f():\n    import json\n"),
    (tidy.hidden_import, HERE, "import json\n"),
    (tidy.catches_everything, HERE, "try:\n    f()\nexcept OSError:\n    g()\n"),
    (
        tidy.catches_everything,
        "src/sextant/scans/worker.py",
        "try:\n    f()\nexcept Exception:\n    g()\n",
    ),
    (tidy.out_of_place, "src/sextant/kit/clock.py", "import time\nx = time.time_ns()\n"),
    (tidy.out_of_place, "src/sextant/kit/ids.py", "import secrets\nimport uuid\n"),
    (tidy.out_of_place, "src/sextant/sim/x.py", "import random\nx = np.random.default_rng(1)\n"),
    (tidy.out_of_place, "src/sextant/cli/x.py", "print(1)\n"),
    (tidy.out_of_place, "bench/x.py", "import time\nprint(1)\n"),
    (tidy.out_of_place, HERE, "x = clock.now_ns()\ny = datetime.datetime.fromtimestamp(1)\n"),
    (tidy.put_off, HERE, "x = 'TODO'  # a mastodon is no TODOs list\n"),
    (tidy_words.refused_words, "src/sextant/venues/library/bybit/x.py", "kline = 1\n"),
    (tidy_words.refused_words, "src/sextant/venues/x.py", "symbol = 1\n"),
    (tidy_words.refused_words, HERE, "x = 'symbol'\n"),
    (tidy_words.refused_words, HERE, '"""Of ``symbol`` only."""\n'),
    (tidy_words.refused_words, HERE, "bottom = domain = coinbase = engineer = 1\n"),
    (tidy_words.refused_words, "src/sextant/kit/db.py", "engine = 1\n"),
    (tidy_words.refused_names, HERE, "is_final = new_id = old_price = folded = serviceable = 1\n"),
    (tidy_words.refused_names, "tests/x.py", "def test_a_quote_is_too_old(): ...\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), RIGHT)
def test_what_is_right_is_left_alone(rule: tidy.Rule, path: str, text: str) -> None:
    assert rule(Source(path, text)) == []


ONE = '''
def total(values, limit):
    """Sum."""
    found = 0
    for value in values:
        if value > limit:
            continue
        found += value
    print(found)
    return found
'''


def test_a_copied_body_is_seen_although_its_names_differ() -> None:
    copied = (
        ONE.replace("total", "amount")
        .replace("values", "rows")
        .replace("found", "held")
        .replace("Sum", "Add")
    )
    (finding,) = tidy.repeated_bodies([Source("src/a.py", ONE), Source("src/b.py", copied)])
    assert finding == "src/a.py:2: total and src/b.py:2: amount have one body"


@pytest.mark.parametrize(
    "change", [("> limit", ">= limit"), ("print(found)", "tell(found)"), ("    print(found)\n", "")]
)
def test_a_body_that_does_something_else_is_no_copy(change: tuple[str, str]) -> None:
    other = ONE.replace(*change)
    assert tidy.repeated_bodies([Source("src/a.py", ONE), Source("src/b.py", other)]) == []


def test_a_short_body_may_be_alike() -> None:
    short = "def f(a):\n    b = a\n    return b\n"
    assert tidy.repeated_bodies([Source("src/a.py", short), Source("src/b.py", short)]) == []


def test_left_over_files_are_seen() -> None:
    names = ["a.py.bak", "run.log", "x.orig", "y.rej", "z.py~", "docs/log.md", "src/sextant/kit/log.py"]
    assert [finding.partition(":")[0] for finding in tidy_tree.left_overs(names)] == names[:5]


def test_large_files_are_seen_and_the_lock_file_may_be() -> None:
    sizes = {"tests/x.json": 256 * 1024 + 1, "tests/y.json": 256 * 1024, "uv.lock": 10**6}
    assert tidy_tree.large_files(sizes) == ["tests/x.json: 262145 bytes; at most 262144"]


def test_unlisted_root_entries_are_seen() -> None:
    assert tidy_tree.root_entries(["README.md", "src/sextant/x.py", "notes.txt", "scratch/a.py"]) == [
        "notes.txt: not listed among the entries of the root",
        "scratch: not listed among the entries of the root",
    ]


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("changes/good-one.md", "kind: added\nPeople can do it.\n", True),
        ("changes/good.md", "kind: fixed\n`sextant scan` ends.\n", True),
        ("changes/kind.md", "kind: improved\nPeople can do it.\n", False),
        ("changes/nothing.md", "kind: added\n", False),
        ("changes/many.md", "kind: added\nOne.\nTwo.\n", False),
        ("changes/stop.md", "kind: added\nno sentence\n", False),
        ("changes/Bad_Name.md", "kind: added\nPeople can do it.\n", False),
        ("changes/x.txt", "kind: added\nPeople can do it.\n", False),
    ],
)
def test_the_shape_of_a_change_file(name: str, text: str, right: bool) -> None:
    assert (tidy_tree.change_files({name: text}) == []) is right


def test_places_of_one_machine_are_seen() -> None:
    lines = {
        "a.md": "see /home/ann/x\n",
        "b.py": "x = 1\nopen('/tmp/x')\n",
        "c.md": "GET /v5/market/time, https://example.org/home/x, ../work/x, /api/v1/work/x\n",
    }
    assert tidy_tree.machine_paths(lines) == [
        "a.md:1: names a place of one machine: /home/a",
        "b.py:2: names a place of one machine: /tmp/x",
    ]


def test_a_module_beside_a_package_of_its_name_is_seen() -> None:
    names = ["src/sextant/kit/db.py", "src/sextant/kit/db/x.py", "src/sextant/kit/log.py"]
    assert tidy_tree.module_beside_package(names) == [
        "src/sextant/kit/db.py: a package of the same name lies beside it"
    ]


def test_a_module_that_nobody_imports_is_seen() -> None:
    tree = {
        "__main__": "from sextant.market.state import x\n",
        "market/__init__": "",
        "market/state": "import sextant.market.bars\n",
        "market/bars": "from sextant.market import books\n",
        "market/books": "",
        "market/forgotten": "from sextant.market import forgotten\n",
        "venues/library/bybit": "",
    }
    found = tidy_tree.dead_modules([Source(f"src/sextant/{name}.py", text) for name, text in tree.items()])
    assert found == ["src/sextant/market/forgotten.py: nobody imports it"]


def test_a_source_file_without_its_test_is_seen() -> None:
    names = [
        "src/sextant/market/bars.py",
        "tests/market/test_bars.py",
        "src/sextant/market/books.py",
        "tests/kit/test_books.py",
        "src/sextant/config.py",
        "tests/test_config.py",
        "src/sextant/market/__init__.py",
        "src/sextant/indicators/library/rsi.py",
    ]
    assert tidy_tree.untested_modules(names) == ["src/sextant/market/books.py: no tests/market/test_books.py"]


def test_files_of_a_repository_are_the_tracked_and_the_coming_ones(tmp_path: Path) -> None:
    for name in ("kept.py", "coming.py", "ignored.pyc", "gone.py"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    for words in (["init", "-q"], ["add", "kept.py", "gone.py"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)  # noqa: S607
    (tmp_path / "gone.py").unlink()
    assert tidy_tree.files_of(tmp_path) == [".gitignore", "coming.py", "kept.py"]


def test_files_of_an_unpacked_archive_are_all_that_was_not_made(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in ("src/a.py", ".venv/b.py", "c.md"):
        (tmp_path / name).touch()
    assert tidy_tree.files_of(tmp_path) == ["c.md", "src/a.py"]
