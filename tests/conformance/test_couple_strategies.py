"""What every strategy of couples must satisfy, whoever wrote it; strategies.md 1.3 and 1.10 through the steps of a scan."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.bar import BAR_FIELDS
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View, bar_frame
from sextant.scans.records import ScanRequest
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy, Verdict
from support.carries import EMITS, REFUSES
from support.couple_runs import (
    RICH,
    evaluated,
    known_then,
    rearranged,
    scanned,
    without_history,
)
from support.finite import numbers
from support.markets import known_at, quoted_earlier, reordered, unquoted, without_bars_of

ALL = [strategy for strategy in strategies().values() if strategy.unit == "couple"]
IDS = [strategy.id for strategy in ALL]
CUTS = 100
LINES = ["gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery"]

each = pytest.mark.parametrize("strategy", ALL, ids=IDS)


@pytest.fixture(scope="module")
def markets() -> dict[str, View]:
    """The market each strategy must speak in, built once."""
    return {name: EMITS[name]() for name in IDS}


def names_of(verdict: Verdict) -> list[str]:
    assert verdict.couples is not None
    return [str(couple) for couple in verdict.couples.couples]


def history(verdict: Verdict) -> dict[str, Any]:
    """All arrays of a verdict that have a past, by name."""
    arrays: dict[str, Any] = {"direction": verdict.signals.direction}
    arrays |= {f"gate {gate.name}": gate.values for gate in verdict.gates if not gate.live_only}
    return arrays | {f"fact {name}": column for name, column in verdict.facts.items()}


def past_of(verdict: Verdict, rows: int) -> list[tuple[Any, ...]]:
    """Past signals of rows before ``rows``, as far as they could be known then."""
    assert verdict.couples is not None
    past = verdict.couples.past()
    found = []
    for n in np.flatnonzero(past.row < rows).tolist():
        left = int(past.leave_row[n])
        found.append(
            (
                str(past.couples[past.couple[n]]),
                int(past.row[n]),
                int(past.direction[n]),
                float(past.ratio[n]),
                repr(float(past.stop[n])),
                repr(float(past.target[n])),
                int(past.last_row[n]),
                left if left < rows else -1,
            )
        )
    return found


@each
def test_its_statement_is_complete(strategy: Strategy) -> None:
    assert strategy.references
    assert strategy.known_gaps
    assert strategy.judge is not None
    assert len({param.name for param in strategy.params}) == len(strategy.params)
    assert {"bars", "quotes"} <= {need.column for need in strategy.needs}


@each
def test_it_speaks_in_its_own_market_and_both_legs_are_hedged(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    run = scanned(strategy.id, markets[strategy.id])
    assert run.report.outcome == "ok"
    assert run.opportunities
    for row in run.opportunities:
        assert [leg.role for leg in row.legs] == ["entry", "hedge"]
        assert {leg.side for leg in row.legs} == {"buy", "sell"}
        assert row.direction == "neutral"
        assert row.stop is not None or row.stop_reason


@each
def test_it_is_silent_in_a_market_without_its_cause(strategy: Strategy) -> None:
    market, kind, stage = REFUSES[strategy.id]
    run = scanned(strategy.id, market())
    assert not run.opportunities
    assert {(item.kind, item.stage) for item in run.dispositions} == {(kind, stage)}
    assert all(item.flips_if for item in run.dispositions)


@each
def test_every_couple_has_one_disposition_and_they_add_up(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    run = scanned(strategy.id, view)
    assert [item.unit for item in run.dispositions] == names_of(evaluated(strategy.id, view))
    assert run.report.candidates == len(run.dispositions) == sum(run.report.dispositions.values())
    assert run.report.funnel[-1].passed == run.report.dispositions["opportunity"]
    assert all(len(item.instruments) == 2 for item in run.dispositions)


@each
def test_a_couple_outside_the_asked_universe_is_not_counted(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    first = str(view.instruments[0].instrument)
    assert not scanned(strategy.id, view, request=ScanRequest(instruments=(first,))).dispositions


@each
def test_later_rows_never_change_earlier_ones(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    whole = evaluated(strategy.id, view)
    frame, named = view.bars[whole.interval], names_of(whole)
    cuts = np.random.default_rng(1).integers(1, frame.rows, size=CUTS).tolist()
    for rows in (*cuts, frame.rows - 1, frame.rows - 2):
        time_ns = int(frame.open_ns[rows - 1]) + INTERVAL_NS[whole.interval]
        cut = evaluated(strategy.id, known_then(view, time_ns))
        if cut.couples is None:
            continue
        places = [named.index(name) for name in names_of(cut) if name in named]
        mine = [place for place, name in enumerate(names_of(cut)) if name in named]
        for name, column in history(cut).items():
            wanted = history(whole)[name]
            # Both may begin on a later row than the frame: what they share is compared.
            begin = max(rows - len(column), frame.rows - len(wanted))
            if begin < rows:
                mine_rows = column[begin - (rows - len(column)) :][:, mine]
                wanted_rows = wanted[begin - (frame.rows - len(wanted)) :][: rows - begin]
                np.testing.assert_array_equal(mine_rows, wanted_rows[:, places], err_msg=f"{name} at {rows}")
        assert past_of(cut, rows) == past_of(whole, rows)


@each
def test_the_same_view_gives_the_same_bytes_and_is_left_as_it_is(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    before = view.content_hash
    first, second = (scanned(strategy.id, view) for _ in range(2))
    assert msgspec.json.encode(first.opportunities) == msgspec.json.encode(second.opportunities)
    assert msgspec.json.encode(list(first.dispositions)) == msgspec.json.encode(list(second.dispositions))
    fresh = {name: getattr(view, name) for name in View.__dataclass_fields__}
    assert View(**fresh).content_hash == before


@each
@pytest.mark.parametrize("account", [RICH, Account()], ids=["account", "nobody"])
def test_opportunities_add_up_and_can_be_ordered(
    strategy: Strategy, account: Account, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    run = scanned(strategy.id, view, account)
    assert run.opportunities
    for row in run.opportunities:
        for path, value in numbers(msgspec.to_builtins(row)):
            assert math.isfinite(value), path
        lines = {line.item: line for line in row.costs}
        assert list(lines) == LINES
        total = math.fsum(line.bps for line in row.costs if line.bps is not None)
        if row.edge_bps is None:
            assert lines["gross"].bps is None
            assert row.grade == "unproven"
        else:
            assert total == pytest.approx(row.edge_bps, abs=1e-9)
            assert row.edge_bps > 0
        for leg in row.legs:
            spec = view.instruments[view.column_of[leg.instrument]]
            assert leg.quantity > 0
            assert leg.quantity % spec.lot == 0
            assert leg.price % spec.tick == 0
            assert leg.notional_usd >= float(spec.min_notional or 0)
        assert row.size.notional_usd == max(leg.notional_usd for leg in row.legs)
        assert row.size.illustrative == (account.equity_usd is None)
        assert row.expires_ns >= row.as_of_ns >= row.first_seen_ns
        assert row.reasons
        assert all(reading.passed for reading in row.gates)


@each
def test_an_instrument_without_bars_is_insufficient_and_disturbs_nothing(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    run = scanned(strategy.id, without_bars_of(view, 0))
    lost = view.instruments[0].instrument
    for item in run.dispositions:
        if lost in item.instruments:
            assert (item.kind, item.stage.split(".")[0]) == ("insufficient_data", "bars")
            assert item.limit is not None


@each
@pytest.mark.parametrize("rows", [1, 3])
def test_a_few_rows_are_insufficient(strategy: Strategy, rows: int, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    interval = evaluated(strategy.id, view).interval
    then_ns = int(view.bars[interval].open_ns[rows - 1]) + INTERVAL_NS[interval]
    run = scanned(strategy.id, known_at(view, then_ns))
    assert not run.opportunities
    assert {item.kind for item in run.dispositions} == {"insufficient_data"}


@each
def test_no_bars_at_all_skip_it_with_a_reason(strategy: Strategy, markets: dict[str, View]) -> None:
    run = scanned(strategy.id, known_at(markets[strategy.id], 0))
    assert run.report.outcome == "skipped"
    assert run.report.reason is not None
    assert {item.kind for item in run.dispositions} == {"insufficient_data"}


@each
def test_one_instrument_is_no_couple(strategy: Strategy, markets: dict[str, View]) -> None:
    view = rearranged(markets[strategy.id], [0])
    run = scanned(strategy.id, view)
    assert (run.report.outcome, len(run.dispositions)) == ("skipped", 1)
    assert run.report.reason


@each
def test_an_empty_universe_is_skipped(strategy: Strategy, markets: dict[str, View]) -> None:
    verdict = evaluated(strategy.id, rearranged(markets[strategy.id], []))
    assert verdict.skipped is not None


@each
def test_a_stale_quote_is_insufficient_and_says_how_old(strategy: Strategy, markets: dict[str, View]) -> None:
    limit_s = next(need.greatest_age_s for need in strategy.needs if need.column == "quotes")
    run = scanned(strategy.id, quoted_earlier(markets[strategy.id], limit_s + 1.0))
    assert not run.opportunities
    for item in run.dispositions:
        assert (item.kind, item.stage) == ("insufficient_data", "quote.age_ms")
        assert item.value == pytest.approx((limit_s + 1.0) * 1e3)
        assert item.limit == pytest.approx(limit_s * 1e3)


@each
def test_without_quotes_nothing_is_said(strategy: Strategy, markets: dict[str, View]) -> None:
    run = scanned(strategy.id, unquoted(markets[strategy.id]))
    assert not run.opportunities
    assert {(item.kind, item.stage) for item in run.dispositions} == {("insufficient_data", "quotes")}


@each
def test_no_history_of_funding_is_insufficient_and_never_guessed(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    if not markets[strategy.id].funding_history:
        return  # nothing in its market settles funding
    run = scanned(strategy.id, without_history(markets[strategy.id]))
    assert not run.opportunities
    assert {(item.kind, item.stage) for item in run.dispositions} == {
        ("insufficient_data", "funding.settled")
    }
    assert {item.value for item in run.dispositions} == {0.0}


@each
def test_bars_without_volume_fail_the_floor(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    bars = {}
    for interval, frame in view.bars.items():
        columns = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
        for name in ("volume", "quote_volume", "taker_buy_volume"):
            columns[name][:] = 0.0
        bars[interval] = bar_frame(interval, frame.open_ns, columns)
    run = scanned(strategy.id, dataclasses.replace(view, bars=bars))
    assert not run.opportunities
    assert {item.stage for item in run.dispositions} <= {"volume_24h_usd.first", "volume_24h_usd.second"}


@each
def test_the_order_of_instruments_does_not_matter(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    order = np.random.default_rng(2).permutation(view.size).tolist()
    one, other = scanned(strategy.id, view), scanned(strategy.id, rearranged(view, order))
    assert one.dispositions == other.dispositions
    assert one.opportunities == other.opportunities


@each
def test_dearer_fees_never_raise_an_edge(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]

    def paying(taker_bps: float) -> Account:
        fees = {}
        for spec in view.instruments:
            venue, kind = spec.instrument.venue, spec.instrument.kind
            fees[f"{venue}:{kind}"] = FeeTier(
                venue, kind, "test", taker_bps, taker_bps, assumed=False, source="test", read_on=""
            )
        return msgspec.structs.replace(RICH, fees=fees)

    cheap = scanned(strategy.id, view, paying(2.0)).opportunities
    dear = {row.opportunity_key: row for row in scanned(strategy.id, view, paying(4.0)).opportunities}
    assert cheap
    for row in cheap:
        twin = dear.get(row.opportunity_key)
        if twin is not None and twin.edge_bps is not None and row.edge_bps is not None:
            assert twin.edge_bps < row.edge_bps


@each
def test_both_bounds_of_every_parameter_run(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    for param in strategy.params:
        for value in (param.low, param.high):
            verdict = evaluated(strategy.id, view, **{param.name: value})
            assert verdict.couples is not None, param.name
            assert verdict.couples.past().row.ndim == 1


@each
def test_a_lot_larger_than_the_size_is_below_the_least_order(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    coarse = tuple(msgspec.structs.replace(spec, lot=Decimal(10_000)) for spec in view.instruments)
    run = scanned(strategy.id, dataclasses.replace(view, instruments=coarse))
    assert not run.opportunities
    assert "below_min_notional" in {item.kind for item in run.dispositions}


@each
def test_an_account_without_means_at_a_venue_is_told_so(strategy: Strategy, markets: dict[str, View]) -> None:
    poor = msgspec.structs.replace(RICH, free_usd={}, balances=())
    run = scanned(strategy.id, markets[strategy.id], poor)
    assert not run.opportunities
    told = [item for item in run.dispositions if item.kind == "below_min_notional"]
    assert told
    assert all(item.value == 0.0 and item.flips_if and "capital" in item.flips_if for item in told)


def test_instruments_reordered_by_hand_keep_their_facts() -> None:
    view = EMITS[IDS[0]]()
    moved = rearranged(view, list(range(view.size))[::-1])
    assert moved.derivatives.funding_rate.tolist() == view.derivatives.funding_rate[::-1].tolist()
    assert reordered(view, [0]).size == 1
