from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sextant.errors import ConfigError
from sextant.kit.plugins import collect


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "shelf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "shelf"]:
        del sys.modules[name]


def test_modules_are_collected_in_alphabetical_order(library: Path) -> None:
    (library / "second.py").write_text("THING = 2\n")
    (library / "first.py").write_text("THING = 1\n")
    assert collect("shelf", "THING", int) == {"first": 1, "second": 2}
    assert list(collect("shelf", "THING", int)) == ["first", "second"]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("OTHER = 1\n", "must define THING"),
        ("THING = 'text'\n", "found str"),
        ("import nowhere_at_all\n", "cannot be imported"),
    ],
)
def test_a_broken_plug_in_stops_the_program(library: Path, source: str, named: str) -> None:
    (library / "broken.py").write_text(source)
    with pytest.raises(ConfigError, match=named):
        collect("shelf", "THING", int)
