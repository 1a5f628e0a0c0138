"""Option chains: rows, ages and what is never believed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.errors import NotFound
from sextant.market.chains import CADENCE_NS, KEEP_EXPIRED_NS
from sextant.market.state import MarketState
from sextant.model.events import BookDelta, BookSnapshot, StreamAlive, StreamDown, Trade
from sextant.model.times import DAY_NS, SECOND_NS
from support.market import listed, state_of
from support.options import EXPIRY_NS, option, option_listed, quoted

CALL, PUT = option(), option(right="put")
LOW, FAR, ETH = option(50_000), option(expiry_ns=EXPIRY_NS + 7 * DAY_NS), option(3_000, base="ETH")
T0 = EXPIRY_NS - 14 * DAY_NS
NAME = "deribit:BTC-USD"


def chained(*events: object) -> MarketState:
    known = [option_listed(name, T0) for name in (CALL, FAR, ETH, PUT, LOW)]
    return state_of(*known, *events)  # type: ignore[arg-type]  # model events, as each test writes them


def test_options_are_rows_by_expiry_strike_and_right_and_never_columns() -> None:
    state = chained(listed(), quoted(CALL, T0 + 5, bid=0.02, ask=0.03, mark_iv=0.4, forward=60_100.0))
    view = state.view(T0 + 10)
    assert [str(spec.instrument) for spec in view.instruments] == ["bybit:BTC-USDT:perpetual"]
    assert sorted(view.chains) == [NAME, "deribit:ETH-USD"]
    chain = view.chains[NAME]
    assert [spec.instrument for spec in chain.instruments] == [LOW, CALL, PUT, FAR]
    assert chain.style == "inverse"
    assert chain.strike.tolist() == [50_000, 60_000, 60_000, 60_000]
    assert chain.right.tolist() == [1, 1, -1, 1]
    assert chain.event_ns.tolist() == [0, T0 + 5, 0, 0]
    assert chain.column("bid")[1] == 0.02
    assert chain.column("forward")[1] == 60_100.0
    assert np.isnan(chain.column("bid")[[0, 2, 3]]).all()
    assert np.isnan(chain.column("vega")).all()
    assert not chain.values.flags.writeable


def test_a_field_that_is_not_mentioned_stays_and_one_that_does_not_apply_is_unknown() -> None:
    state = chained(
        quoted(CALL, T0, bid=0.02, ask=0.03, mark_iv=0.4), quoted(CALL, T0 + 1, bid=None, mark_iv=0.5)
    )
    chain = state.view(T0 + 2).chains[NAME]
    assert math.isnan(chain.column("bid")[1])
    assert (chain.column("ask")[1], chain.column("mark_iv")[1]) == (0.03, 0.5)


def test_an_older_statement_changes_nothing_and_is_counted() -> None:
    state = chained(quoted(CALL, T0 + 5, ask=0.03), quoted(CALL, T0 + 4, ask=0.01))
    assert state.view(T0 + 9).chains[NAME].column("ask")[1] == 0.03
    assert state.counters["options_old"] == 1


@pytest.mark.parametrize("wrong", [{"bid": -0.1}, {"ask": 0.0}, {"mark_iv": math.inf}, {"bid_size": -1.0}])
def test_a_number_no_option_can_have_forgets_the_row(wrong: dict[str, float]) -> None:
    state = chained(quoted(CALL, T0, bid=0.02, ask=0.03), quoted(CALL, T0 + 1, **wrong))
    chain = state.view(T0 + 9).chains[NAME]
    assert np.isnan(chain.values[:, 1]).all()
    assert chain.event_ns[1] == 0
    assert state.counters["options_refused"] == 1


@pytest.mark.parametrize(("bid", "ask"), [(0.03, 0.02), (0.03, 0.03)])
def test_a_crossed_or_locked_quote_is_held_back_and_the_rest_of_the_row_is_shown(
    bid: float, ask: float
) -> None:
    chain = chained(quoted(CALL, T0, bid=bid, ask=ask, mark=0.025)).view(T0 + 9).chains[NAME]
    assert np.isnan([chain.column("bid")[1], chain.column("ask")[1]]).all()
    assert chain.column("mark")[1] == 0.025


def test_an_expired_option_is_no_row() -> None:
    state = chained()
    assert state.view(EXPIRY_NS - 1).chains[NAME].size == 4
    assert [spec.instrument for spec in state.view(EXPIRY_NS).chains[NAME].instruments] == [FAR]
    assert NAME not in state.view(EXPIRY_NS + 7 * DAY_NS).chains


def test_options_expired_for_a_week_are_dropped_when_another_is_listed() -> None:
    state = chained()
    later = option(expiry_ns=EXPIRY_NS + 60 * DAY_NS)
    state.apply(option_listed(later, EXPIRY_NS + KEEP_EXPIRED_NS + 1))
    assert set(state.freshness(EXPIRY_NS)) == {FAR, later, ETH}
    further = option(base="ETH", expiry_ns=EXPIRY_NS + 60 * DAY_NS)
    state.apply(option_listed(further, EXPIRY_NS + KEEP_EXPIRED_NS + 1))
    assert set(state.freshness(EXPIRY_NS)) == {FAR, later, further}


def test_what_became_known_later_is_not_shown_before() -> None:
    chain = chained(quoted(CALL, T0 + 5, ask=0.03)).view(T0 + 4).chains[NAME]
    assert (chain.event_ns[1], math.isnan(chain.column("ask")[1])) == (0, True)


def test_a_row_is_live_late_and_stale_and_an_answering_connection_keeps_it_live() -> None:
    state = chained(quoted(CALL, T0, ask=0.03))
    step = CADENCE_NS
    assert [state.freshness(T0 + age)[CALL]["quote"].state for age in (step, step + 1, 2 * step)] == [
        "live",
        "late",
        "stale",
    ]
    state.apply(StreamAlive((CALL,), ("quote",), T0 + step, T0 + step))
    assert state.freshness(T0 + 2 * step)[CALL]["quote"].state == "live"
    assert state.freshness(T0)[PUT]["quote"].state == "unsupported"
    assert state.counters["unknown_instruments"] == 0


def test_a_lost_connection_takes_the_row_away_until_it_speaks_again() -> None:
    state = chained(
        quoted(CALL, T0, ask=0.03),
        StreamDown((CALL,), ("derivatives", "quote"), T0 + 1, T0 + 1, "closed_1006"),
    )
    judged = state.freshness(T0 + 2)[CALL]["quote"]
    assert (judged.state, judged.reason) == ("invalid", "closed_1006")
    assert np.isnan(state.view(T0 + 2).chains[NAME].values[:, 1]).all()
    state.apply(quoted(CALL, T0 + SECOND_NS, ask=0.04))
    assert state.view(T0 + 2 * SECOND_NS).chains[NAME].column("ask")[1] == 0.04
    assert state.freshness(T0 + 2 * SECOND_NS)[CALL]["quote"].state == "live"


def test_an_update_of_an_unlisted_option_is_counted() -> None:
    state = state_of(quoted(CALL, T0, ask=0.03))
    assert state.counters["unknown_instruments"] == 1
    assert state.view(T0).chains == {}


def test_chains_are_part_of_both_hashes() -> None:
    one, other = (chained(quoted(CALL, T0, ask=ask)) for ask in (0.03, 0.0301))
    assert one.state_hash() != other.state_hash()
    assert one.view(T0).content_hash != other.view(T0).content_hash
    again = chained(quoted(CALL, T0, ask=0.03))
    assert (one.state_hash(), one.view(T0).content_hash) == (again.state_hash(), again.view(T0).content_hash)


def test_changed_rules_reach_the_chain() -> None:
    state = chained(option_listed(CALL, T0 + 1, status="halted"))
    assert state.view(T0 + 2).chains[NAME].instruments[1].status == "halted"


def test_an_option_has_a_book_and_trades_where_they_are_told_and_a_gap_is_seen() -> None:
    state = chained(
        BookSnapshot(CALL, T0, T0, 7, 10, [(0.02, 1.0)], [(0.03, 2.0)]),
        BookDelta(CALL, T0 + 1, T0 + 1, 9, 9, 7, [(0.021, 1.0)], []),
        Trade(CALL, T0 + 1, T0 + 1, "1", 0.03, 0.5, 1),
    )
    assert state.book(CALL).bids == ((0.021, 1.0), (0.02, 1.0))
    assert state.view(T0 + 2).size == 0
    before = state.state_hash()
    state.apply(BookDelta(CALL, T0 + 2, T0 + 2, 12, 12, 11, [], []))
    assert state.state_hash() != before
    assert state.drain_resyncs() == [(CALL, "gap")]
    with pytest.raises(NotFound, match="option without a book"):
        state.book(PUT)
