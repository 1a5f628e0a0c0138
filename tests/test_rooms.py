"""The import contract of the design holds, and would be seen to break."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from support.rooms import strangers

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / ".importlinter"
RUN = (
    "import sys; from importlinter.cli import lint_imports;"
    "sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True, no_logo=True))"
)

# What is planted, and words that the report must then hold. No plant leans on another.
PLANTED: dict[str, tuple[dict[str, str], str]] = {
    "a lower room imports a higher one": (
        {"market/planted_up.py": "import sextant.api\n"},
        "sextant.market is not allowed to import sextant.api",
    ),
    "neighbours import each other": (
        {"market/planted_aside.py": "import sextant.venues.port\n"},
        "sextant.market is not allowed to import sextant.venues",
    ),
    "the simulator knows the translators": (
        {"sim/planted.py": "import sextant.venues.port\n"},
        "sextant.sim is not allowed to import sextant.venues",
    ),
    "a room is placed nowhere": ({"stray/__init__.py": '"""Planted."""\n'}, "- sextant.stray"),
    "a plug-in imports another": (
        {"indicators/library/planted.py": "from sextant.indicators.library import rsi\n"},
        "sextant.indicators.library.planted -> sextant.indicators.library.rsi",
    ),
    "a pure room reads the clock": (
        {"model/planted.py": "import time\n"},
        "sextant.model.planted is not allowed to import time",
    ),
    "a pure room reads the clock through another module": (
        {
            "market/planted_clock.py": "import time\n",
            "market/planted_far.py": "import sextant.market.planted_clock\n",
        },
        "sextant.market.planted_far is not allowed to import time",
    ),
    "a strategy throws dice": (
        {"strategies/library/planted.py": "import random\n"},
        "sextant.strategies.library.planted is not allowed to import random",
    ),
    "evidence opens a database outside its store": (
        {"evidence/planted.py": "import sqlalchemy\n"},
        "sextant.evidence.planted is not allowed to import sqlalchemy",
    ),
    "confluence opens a socket": (
        {"confluence/__init__.py": '"""Planted."""\n', "confluence/planted.py": "import socket\n"},
        "sextant.confluence.planted is not allowed to import socket",
    ),
    "two siblings import each other": (
        {
            "kit/planted_one.py": "import sextant.kit.planted_two\n",
            "kit/planted_two.py": "import sextant.kit.planted_one\n",
        },
        "- .planted_two -> .planted_one",
    ),
}


def checked(source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, str(CONTRACT)],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "400", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contract_holds() -> None:
    ended = checked(ROOT / "src")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the contract says of a copy in which everything is planted."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copytree(
        ROOT / "src" / "sextant",
        copy / "sextant",
        ignore=lambda _, names: [
            item for item in names if ("." in item and not item.endswith(".py")) or item == "__pycache__"
        ],
    )
    for files, _ in PLANTED.values():
        for path, text in files.items():
            place = copy / "sextant" / path
            place.parent.mkdir(exist_ok=True)
            if not place.exists():
                place.write_text(text)
    ended = checked(copy)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return " ".join(ended.stdout.split())


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_seen(report: str, name: str) -> None:
    assert PLANTED[name][1] in report


@pytest.mark.parametrize(
    "contract",
    [
        "Rooms import only rooms below",
        "No plug-in knows another",
        "No cycles between siblings",
        "Pure rooms have no clock, socket, database or chance",
    ],
)
def test_each_contract_can_break(report: str, contract: str) -> None:
    assert f"{contract} BROKEN" in report


def test_every_room_imports_only_what_the_design_allows_it() -> None:
    graph = grimp.build_graph("sextant", cache_dir=None)
    imports = [
        (importer.removeprefix("sextant."), imported.removeprefix("sextant."))
        for importer in graph.modules - {"sextant"}
        for imported in graph.find_modules_directly_imported_by(importer) - {"sextant"}
    ]
    assert strangers(imports) == []


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("market.state", "model.bar", True),
        ("market.state", "market.bars", True),
        ("market.state", "errors", True),
        ("market.state", "kit.clock", False),
        ("strategies.columns", "kit.plugins", True),
        ("strategies.columns", "kit.db", False),
        ("evidence.store", "kit.db", True),
        ("evidence.events", "kit.db", False),
        ("portfolio.accounts", "venues.port", True),
        ("portfolio.accounts", "venues.session", False),
        ("scans.run", "venues.packs", True),
        ("scans.run", "venues.library.bybit", False),
        ("scans.run", "vault.keys", False),
        ("api.ops", "vault.keys", True),
        ("api.ops", "config", False),
        ("cli.commands", "sim.bybit", True),
    ],
)
def test_the_table_tells_allowed_imports_from_others(importer: str, imported: str, allowed: bool) -> None:
    assert strangers([(importer, imported)]) == ([] if allowed else [f"{importer} imports {imported}."])


def test_a_room_that_the_table_does_not_name_is_told() -> None:
    assert strangers([("stray.x", "model.bar")]) == ["stray is no room of the table."]
