from __future__ import annotations

import msgspec
import numpy as np
import pytest

from sextant.confluence.market_wide import NO_LEAD
from sextant.model.instrument import Instrument
from sextant.model.times import MINUTE_NS
from sextant.model.view import View
from sextant.scans.relations import HELD_NS, SPANS, LeadWatch, Relating, leader_of, returns_of
from support import minutes
from support.indicators import walk
from support.views import spec

NAMES = tuple(Instrument("bybit", base, "USDT", "perpetual") for base in ("ADA", "BTC"))
START_NS = 1_790_000_000 * 10**9


def market(*bases: str) -> View:
    bars = walk(1_500, len(bases), 9)
    return minutes.view_of(bars, [spec(base, "perpetual") for base in bases])


def steps(watch: LeadWatch, leads: list[int], apart_ns: int = MINUTE_NS) -> list[int]:
    """What is told of the first instrument, minute by minute."""
    return [
        int(watch.update(NAMES, np.array([lead, NO_LEAD]), START_NS + at * apart_ns)[0])
        for at, lead in enumerate(leads)
    ]


def test_a_lead_is_told_once_it_has_stood_for_three_hours() -> None:
    held = HELD_NS // MINUTE_NS
    told = steps(LeadWatch(), [2, 3] * 100)
    assert told[:held] == [NO_LEAD] * held
    assert told[held:] == ([2, 3] * 100)[held:]


@pytest.mark.parametrize("other", [NO_LEAD, 4])
def test_a_lead_that_is_lost_or_moves_by_two_begins_anew(other: int) -> None:
    held = HELD_NS // MINUTE_NS
    told = steps(LeadWatch(), [2] * held + [other] + [2] * (held + 2))
    assert told.index(2) == 2 * held + 1


def test_nothing_is_known_of_a_lead_nobody_looked_at() -> None:
    assert steps(LeadWatch(), [2] * 200, apart_ns=3 * MINUTE_NS) == [NO_LEAD] * 200


def test_instruments_are_compared_with_bitcoin_over_the_rows_of_each_frame() -> None:
    view = market("ADA", "BTC", "SOL")
    found = Relating().update(view)
    assert found.leader == 1
    for interval in ("1m", "5m", "30m"):
        close = view.bars[interval].close
        rows = min(SPANS[interval], len(close) - 1)
        moved = close[-rows:] / close[-rows - 1 : -1] - 1.0
        slope = np.cov(moved[:, 0], moved[:, 1], ddof=0)[0, 1] / np.var(moved[:, 1])
        part = found.following[interval]
        assert part.n.tolist() == [rows] * 3
        if rows * 5 >= SPANS[interval] * 4:
            assert part.beta[0] == pytest.approx(slope, abs=1e-12)
            assert part.beta[1] == pytest.approx(1.0)
        else:
            assert np.isnan(part.beta).all()


def test_nothing_is_compared_without_bitcoin() -> None:
    found = Relating().update(market("ADA", "SOL"))
    assert (found.leader, found.following) == (None, {})
    assert found.lead_minutes.tolist() == [NO_LEAD, NO_LEAD]


def test_bitcoin_against_dollars_leads_before_any_other_and_a_perpetual_before_spot() -> None:
    bars = walk(10, 3, 2)
    bitcoin = spec("BTC", "perpetual")
    euro = msgspec.structs.replace(
        bitcoin, instrument=msgspec.structs.replace(bitcoin.instrument, quote="EUR")
    )
    assert leader_of(minutes.view_of(bars, [euro, spec("BTC"), spec("BTC", "perpetual")])) == 2
    inverse = msgspec.structs.replace(bitcoin, style="inverse")
    assert leader_of(minutes.view_of(bars, [inverse, spec("BTC"), bitcoin])) == 2
    assert leader_of(minutes.view_of(bars, [euro, spec("BTC"), spec("ADA", "perpetual")])) == 0


def test_rows_that_were_never_there_are_unknown() -> None:
    view = market("ADA", "BTC")
    moved = returns_of(view, "4h", SPANS["4h"])
    assert moved.shape == (SPANS["4h"], 2)
    assert np.isnan(moved[0]).all()
    assert not np.isnan(moved[-1]).any()
    assert np.isnan(returns_of(view, "1d", 5)).all()


def test_the_same_bars_are_compared_once() -> None:
    view, relating = market("ADA", "BTC"), Relating()
    assert relating.update(view) is relating.update(view)
    assert relating.update(market("ADA", "BTC", "SOL")).lead_minutes.shape == (3,)
