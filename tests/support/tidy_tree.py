"""Rules of taste for the tree: which files there are, and which belong together."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.tidy import Source

LARGEST_BYTES = 256 * 1024
PACKAGE = "src/sextant/"

ROOT_ENTRIES = {
    ".ci": "the one command of the build",
    ".gitignore": "what the commands make",
    ".importlinter": "the direction of imports",
    "CONTRIBUTING.md": "how to change it",
    "LICENSE": "Apache-2.0",
    "Makefile": "the commands",
    "NOTICE": "required by the licence",
    "README.md": "the first page",
    "SECURITY.md": "where to report a hole",
    "bench": "benchmarks",
    "changes": "one file per change",
    "deploy": "rules for Prometheus and a dashboard for Grafana",
    "docs": "documentation",
    "pyproject.toml": "the package",
    "src": "the product",
    "tests": "the tests",
    "uv.lock": "the locked dependencies",
    "web": "sources of the dashboard",
}
"""Every file and folder at the root, and what it is for."""

LARGE = {
    "docs/reference/openapi.json": "one document of all routes, made by the program",
    "uv.lock": "one universal lock file of all dependencies",
}
LEFT_OVER = (".bak", ".log", ".orig", ".rej", ".swp", ".tmp", "~")

NOT_IMPORTED = {
    "__main__": "started by the interpreter",
    "migrations.env": "loaded by alembic",
}
"""Modules that nobody imports, and who starts them."""

NO_OWN_TEST = {
    "__main__.py": "started as a process in tests/cli",
    "migrations/env.py": "run by every test with a database",
    "migrations/versions/": "run by every test with a database",
    "api/endpoint.py": "shapes of a route; tests/api/test_openapi.py reads each",
    "api/admin_schemas.py": "shapes; tests/api/test_admin.py reads each",
    "api/diagnostic_schemas.py": "shapes; tests/api/test_diagnostics.py reads each",
    "api/monitoring_schemas.py": "shapes; tests/api/test_monitoring.py reads each",
    "api/opportunity_schemas.py": "shapes; tests/api/test_opportunities.py reads each",
    "api/confluence_schemas.py": "shapes; tests/api/test_confluence.py reads each",
    "api/market_schemas.py": "shapes; tests/api/test_market.py reads each",
    "api/scan_schemas.py": "shapes; tests/api/test_scans.py reads each",
    "api/strategy_schemas.py": "shapes; tests/api/test_strategies.py reads each",
    "api/schemas.py": "shapes; tests/api/test_auth.py reads each",
    "api/server.py": "every test of a route runs it",
    "indicators/contract.py": "tests/conformance/test_indicators.py runs each of its ways on every indicator",
    "indicators/prices.py": "tests/indicators/test_parity.py compares what stands on it with a second implementation",
    "indicators/structure.py": "tests/indicators/test_parity.py compares what stands on it with a second implementation",
    "scans/ledger.py": "what a process knows of scans; tests/support/house.py opens one for every test of the room",
    "scans/tables.py": "tables; every test of the room writes and reads them",
    "monitoring/records.py": "shapes; every test of the room reads them",
    "monitoring/store.py": "a table; tests/monitoring/test_incidents.py writes and reads it",
    "scans/observing.py": "two shapes of one kind; tests/scans/test_worker.py is told by one",
    "vault/leaked.py": "a list; tests/vault/test_passwords.py refuses a word of it",
    "vault/records.py": "shapes; every test of the room reads them",
    "vault/store.py": "tables; every test of the room writes and reads them",
    "indicators/library/": "tests/conformance/test_indicators.py finds and tests every indicator",
    "strategies/library/": "tests/conformance/test_strategies.py finds and tests every strategy",
    "venues/library/": "tests/conformance/test_venues.py finds and tests every venue",
    "confluence/library/": "tests/conformance/test_confluence.py finds and tests every dimension",
    "alerts/library/": "tests/conformance/test_alerts.py finds and tests every rule",
    "assistant/library/": "tests/conformance/test_tools.py finds and tests every tool",
    "cli/": "commands are tested as processes in tests/cli",
}
"""Source files (or folders of them) without a test file of their own, and what tests them."""

MADE_UP_PATHS = {
    "tests/test_config.py": "a made-up home folder, under which the default must lie",
}
"""Files that may name a place of a machine, and why."""

_MACHINE = re.compile(r"(?<![\w./~-])/(?:work|home|root|Users|tmp|mnt)/[\w.]")
_SENTENCE = re.compile(r"[A-Z0-9`'\"].*[.]")
_KIND = re.compile(r"kind: (added|changed|fixed)")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.md")
MADE = {
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "node_modules",
}


def files_of(root: Path) -> list[str]:
    """Paths of the files that belong to the repository, tracked or about to be, sorted, with slashes."""
    asked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607  # as installed
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0:
        names = asked.stdout.split("\0")
        return sorted({name for name in names if name and (root / name).is_file()})
    # An unpacked archive has no history: everything that the commands did not make belongs to it.
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not MADE.intersection(path.parts))


def left_overs(files: Iterable[str]) -> list[str]:
    return [f"{path}: left over by a tool or an edit" for path in files if path.endswith(LEFT_OVER)]


def large_files(sizes: Mapping[str, int]) -> list[str]:
    return [
        f"{path}: {size} bytes; at most {LARGEST_BYTES}"
        for path, size in sizes.items()
        if size > LARGEST_BYTES and path not in LARGE
    ]


def root_entries(files: Iterable[str]) -> list[str]:
    entries = {path.partition("/")[0] for path in files}
    return [
        f"{entry}: not listed among the entries of the root" for entry in sorted(entries - set(ROOT_ENTRIES))
    ]


def change_files(texts: Mapping[str, str]) -> list[str]:
    """Files of ``changes/``: ``kind: added|changed|fixed``, then one sentence for a user."""
    found = []
    for path, text in texts.items():
        lines = text.rstrip("\n").split("\n")
        shaped = len(lines) == 2 and _KIND.fullmatch(lines[0]) and _SENTENCE.fullmatch(lines[1])
        if not (shaped and _NAME.fullmatch(path.rpartition("/")[2])):
            found.append(f"{path}: not 'kind: added|changed|fixed' and one sentence")
    return found


def machine_paths(texts: Mapping[str, str]) -> list[str]:
    return [
        f"{path}:{number}: names a place of one machine: {found[0]}"
        for path, text in texts.items()
        if path not in MADE_UP_PATHS
        for number, line in enumerate(text.split("\n"), 1)
        if (found := _MACHINE.search(line))
    ]


def module_beside_package(files: Iterable[str]) -> list[str]:
    folders = {path.rpartition("/")[0] for path in files}
    return [
        f"{path}: a package of the same name lies beside it"
        for path in files
        if path.endswith(".py") and path.removesuffix(".py") in folders
    ]


def dead_modules(sources: Iterable[Source]) -> list[str]:
    """Modules of the product that no other module of it imports."""
    own = {_module(source.path): source for source in sources if source.path.startswith(PACKAGE)}
    used: set[str] = set()
    for name, source in own.items():
        used |= _imported(source.tree) - {f"sextant.{name}"}
    return [
        f"{source.path}: nobody imports it"
        for name, source in own.items()
        if not (
            f"sextant.{name}" in used
            or name in NOT_IMPORTED
            or source.path.endswith("/__init__.py")
            or ".library." in name
            or name.startswith("migrations.versions.")
        )
    ]


def _module(path: str) -> str:
    return path.removeprefix(PACKAGE).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{item.name}" for item in node.names)}
    return found


def untested_modules(files: Iterable[str]) -> list[str]:
    """Source files whose path has no test file of the same name under ``tests/``."""
    known = set(files)
    found = []
    for path in sorted(known):
        inner = path.removeprefix(PACKAGE)
        if inner == path or not path.endswith(".py") or path.endswith("__init__.py"):
            continue
        folder, _, name = inner.rpartition("/")
        test = "/".join(part for part in ("tests", folder, f"test_{name}") if part)
        if test not in known and not inner.startswith(tuple(NO_OWN_TEST)):
            found.append(f"{path}: no {test}")
    return found
