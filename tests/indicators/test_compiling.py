"""Machine code kept on disk is stamped with all the sources it was made of."""

from __future__ import annotations

from pathlib import Path

from sextant.indicators import compiling, windows
from sextant.indicators.library import sma


def test_stamp_names_every_file_of_primitives() -> None:
    names = {name for name, _, _ in compiling.primitives_stamp()}
    assert names == {path.name for path in Path(windows.__file__).parent.glob("*.py")}
    assert {"windows.py", "prices.py", "structure.py", "profile.py"} <= names


def test_code_of_an_indicator_carries_the_stamp_of_the_primitives() -> None:
    stamp = sma._advance._cache._cache_file._source_stamp  # type: ignore[attr-defined]  # the compiler ships no type of it
    assert stamp[1] == compiling.primitives_stamp()
