"""Finding and computing indicators by name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sextant.errors import InputError, NotFound
from sextant.indicators.catalog import compute, indicators
from sextant.model.times import MINUTE_NS
from sextant.model.view import bar_frame
from support import indicators as market


def test_every_file_of_the_library_is_found_in_alphabetical_order() -> None:
    names = list(indicators())
    assert names == sorted(names)
    assert {"sma", "ema", "atr", "adx", "rsi", "efficiency_ratio", "volume_profile", "levels"} <= set(names)


def test_frame_and_plain_columns_give_the_same() -> None:
    bars = market.walk(200, 3, 1)
    times = np.arange(200) * 5 * MINUTE_NS + 288 * 5 * MINUTE_NS * 100
    frame = bar_frame("5m", times, {name: bars[name] for name in ("open", "high", "low", "close", "volume")})
    for name in ("atr", "vwap"):
        plain_params = {"bars_per_day": 288} if name == "vwap" else {}
        plain = compute(name, bars, bar_index=28_800, **plain_params)
        framed = compute(name, frame)
        assert all(np.array_equal(plain[k], framed[k], equal_nan=True) for k in plain)


def test_frame_without_rows_gives_empty_columns() -> None:
    empty = bar_frame("1m", np.zeros(0, np.int64), {"close": np.zeros((0, 4))})
    assert compute("sma", empty)["sma"].shape == (0, 4)


def test_daily_vwap_begins_anew_at_midnight_of_the_frame() -> None:
    bars = market.walk(600, 1, 2)
    times = (np.arange(600) + 288 * 100) * 5 * MINUTE_NS
    frame = bar_frame("5m", times, {name: bars[name] for name in ("high", "low", "close", "volume")})
    found = compute("vwap", frame)["vwap"][:, 0]
    typical = (bars["high"] + bars["low"] + bars["close"])[:, 0] / 3
    assert found[288] == pytest.approx(typical[288])
    assert found[287] != pytest.approx(typical[287])


def test_unknown_indicator_is_not_found() -> None:
    with pytest.raises(NotFound, match="no indicator 'magic'"):
        compute("magic", market.fx(), bar_index=0)


def test_plain_columns_need_the_index_of_their_first_row() -> None:
    with pytest.raises(InputError, match="bar_index"):
        compute("sma", market.fx())


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"window": 1}, "window is 1; allowed is 2..500"),
        ({"window": 501}, "501"),
        ({"window": 2.5}, "2.5"),
        ({"window": "many"}, "many"),
        ({"rows": 3}, "no parameter 'rows'"),
    ],
)
def test_parameter_out_of_its_bounds_is_refused_by_name_and_limit(
    params: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        compute("sma", market.fx(), bar_index=0, **params)


def test_fast_average_must_be_below_the_slow_one() -> None:
    with pytest.raises(InputError, match="fast is 26 and must be below slow"):
        compute("macd", market.fx(), bar_index=0, fast=26)


def test_word_of_a_choice_is_taken_and_others_are_refused() -> None:
    assert compute("vwap", market.fx(), bar_index=0, anchor="week")["vwap"].shape == (120, 1)
    with pytest.raises(InputError, match="one of"):
        compute("vwap", market.fx(), bar_index=0, anchor="month")


def test_constants_of_instruments_are_asked_for_and_must_be_above_zero() -> None:
    with pytest.raises(InputError, match="needs the constant 'lot_size'"):
        compute("volume_profile", market.fx(), bar_index=0, price_step=0.1)
    with pytest.raises(InputError, match="above 0"):
        compute("volume_profile", market.fx(), bar_index=0, price_step=0.0, lot_size=1.0)


def test_columns_of_different_shapes_are_refused() -> None:
    bars = dict(market.fx())
    bars["low"] = bars["low"][:-1]
    with pytest.raises(InputError, match="the others are"):
        compute("atr", bars, bar_index=0)


def test_importing_the_front_door_does_not_import_the_compiler() -> None:
    code = "import sys, sextant, sextant.indicators.catalog; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # our own interpreter
