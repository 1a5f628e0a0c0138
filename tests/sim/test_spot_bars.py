"""Bars over a span are the model's, and the last one is as far as it has traded."""

from __future__ import annotations

import pytest

from sextant.sim.market_model import FIRST_DAY, MarketModel
from sextant.sim.spot_bars import bars_until
from sextant.sim.tape import MINUTE_MS, Tape

MINUTE = 20_700 * 1_440 + 855  # a quarter past two in the afternoon


@pytest.fixture(scope="module")
def tape() -> Tape:
    model = MarketModel(7, 12)
    listing = model.find("spot", "BTCUSDT")
    assert listing is not None
    return Tape(model, listing, 1.0)


def test_the_last_bar_forms_and_the_others_are_whole(tape: Tape) -> None:
    now_ms = MINUTE * MINUTE_MS + 30_000
    found = bars_until(tape, now_ms, 5, now_ms, 4)
    assert [open_ms // MINUTE_MS - MINUTE for open_ms, _ in found] == [-15, -10, -5, 0]
    whole = tape.model.bars(tape.listing, 5, MINUTE // 5 - 3, 3)
    assert [bar.close for _, bar in found[:3]] == whole.close.tolist()
    assert [bar.lots for _, bar in found[:3]] == whole.lots.tolist()
    assert found[3][1].open == whole.close[-1]
    of_minute = tape.model.bars(tape.listing, 1, MINUTE, 1)
    assert 0 < found[3][1].lots < of_minute.lots[0]


def test_an_end_in_the_past_leaves_later_bars_out(tape: Tape) -> None:
    now_ms = MINUTE * MINUTE_MS
    found = bars_until(tape, now_ms, 60, now_ms - 5 * 3_600_000, 2)
    assert [open_ms // 3_600_000 for open_ms, _ in found] == [MINUTE // 60 - 6, MINUTE // 60 - 5]


def test_no_bar_is_older_than_the_listing(tape: Tape) -> None:
    now_ms = MINUTE * MINUTE_MS
    found = bars_until(tape, now_ms, 1_440, now_ms, 100_000)
    assert found[0][0] // 86_400_000 == max(tape.listing.launch_day, FIRST_DAY + 8)
    assert bars_until(tape, now_ms, 1_440, (FIRST_DAY + 1) * 86_400_000, 5) == []
