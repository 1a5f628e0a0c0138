from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.bar import BAR_FIELDS, BarBlock
from sextant.model.times import HOUR_NS
from sextant.venues.pack_files import Location
from sextant.venues.packs import survey_pack
from support.packs import START_NS, hours_of, in_folders, one_file

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BTCSTUSDT", "ADAUSDT", "SOLUSDT")


def blocks(place: Path | str, columns: tuple[int, ...] | None = None) -> list[BarBlock]:
    return [event for event in survey_pack(place).events(columns) if isinstance(event, BarBlock)]


def test_a_folder_of_files_by_symbol_and_span_is_the_pack_that_one_file_is(tmp_path: Path) -> None:
    path = one_file(tmp_path, 120, SYMBOLS)
    folder = in_folders(tmp_path, hours_of(SYMBOLS, 120), START_NS + 50 * HOUR_NS)
    one, many = survey_pack(path), survey_pack(folder)
    assert (one.symbols, one.specs, one.period, one.bars) == (
        many.symbols,
        many.specs,
        many.period,
        many.bars,
    )
    for left, right in zip(blocks(path), blocks(folder), strict=True):
        assert left.instruments == right.instruments
        assert np.array_equal(left.open_ns, right.open_ns)
        for name in BAR_FIELDS:
            assert np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True)


def test_a_url_is_the_place_that_its_path_is(tmp_path: Path) -> None:
    path = one_file(tmp_path, 60, SYMBOLS)
    there = survey_pack(path.as_uri())
    assert (there.symbols, there.fingerprint) == (survey_pack(path).symbols, survey_pack(path).fingerprint)


def test_some_instruments_have_the_bars_that_they_have_among_all(tmp_path: Path) -> None:
    path = one_file(tmp_path, 120, SYMBOLS)
    (whole,), (some,) = blocks(path), blocks(path, (1, 3))
    assert some.instruments == (whole.instruments[1], whole.instruments[3])
    rows = np.isin(whole.open_ns, some.open_ns)
    for name in BAR_FIELDS:
        assert np.array_equal(getattr(some, name), getattr(whole, name)[rows][:, [1, 3]], equal_nan=True)


def test_a_file_that_is_written_again_is_another(tmp_path: Path) -> None:
    path = one_file(tmp_path, 60, SYMBOLS)
    survey = survey_pack(path)
    assert not survey.unlike_now()
    one_file(tmp_path, 61, SYMBOLS)
    assert survey.unlike_now()


def test_hidden_files_and_other_kinds_are_no_part_of_a_folder(tmp_path: Path) -> None:
    path = one_file(tmp_path, 60, SYMBOLS)
    for name in (".part.parquet", "_metadata.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"no bars")
    assert [file.path for file in Location(tmp_path).files()] == [str(path)]


def test_the_nearest_folder_names_the_symbol_and_else_the_file_up_to_a_dash(tmp_path: Path) -> None:
    root = in_folders(tmp_path, hours_of(SYMBOLS, 20), START_NS)
    assert {file.named(("symbol",)) for file in Location(root).files()} == set(SYMBOLS)
    assert (
        Location(one_file(tmp_path, 20, SYMBOLS)).files()[0].named(("symbol",)) == "binance_spot_1h.parquet"
    )


@pytest.mark.parametrize("place", ["ftp://host/bars", "absent"])
def test_a_place_that_is_none_is_refused_by_name(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match=place):
        Location(place if "://" in place else tmp_path / place).files()


def test_a_folder_without_packs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.parquet"):
        Location(tmp_path).files()
