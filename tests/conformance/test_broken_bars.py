"""Whatever befalls the bars of a market, every strategy, its evidence and the scores answer in finite numbers or not at all."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sextant.confluence.scorer import evaluate
from sextant.errors import Insufficient
from sextant.evidence.events import EventTable
from sextant.evidence.scorecard import Scorer
from sextant.model.account import Account
from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.times import INTERVAL_NS, Interval
from sextant.model.view import BarFrame, View, bar_frame
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.sim.market_model import MarketModel
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.day import SimulatedDay
from support.finite import numbers
from support.markets import frozen, reordered

RICH: Final = Account(
    equity_usd=100_000.0, coverage_frac=1.0, free_usd={"bybit": 100_000.0, "binance": 100_000.0}
)
VOLUMES: Final = ("volume", "quote_volume", "taker_buy_volume")
PRICES: Final = ("open", "high", "low", "close")
DAY, MINUTE = 20_080, 615


@functools.cache
def market() -> View:
    """A dozen instruments of the simulated market with all frames, quotes, books, funding and open interest."""
    model = MarketModel(7, 24)
    wanted = [one for one in model.listings if one.lane < 8]
    return SimulatedDay(model, wanted, DAY).view(MINUTE)


@dataclasses.dataclass(frozen=True)
class Harm:
    """What happens to one instrument between two fractions of the time there are bars of."""

    kind: str
    column: int
    begin: float
    end: float


harms = st.builds(
    Harm,
    st.sampled_from(
        ["gap", "no volume", "frozen", "no takers", "delisted", "listed late", "no quote", "no turnover"]
    ),
    st.integers(0, 31),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)


def harmed(view: View, done: list[Harm]) -> View:
    """The view in which all of it has happened, in every frame at the same time."""
    first = min(int(frame.open_ns[0]) for frame in view.bars.values())
    quotes = {name: column.copy() for name, column in vars(view.quotes).items()}
    bars: dict[Interval, BarFrame] = {}
    for interval, frame in view.bars.items():
        fields = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
        for harm in done:
            low, high = sorted((harm.begin, harm.end))
            span = view.as_of_ns - first
            from_ns, to_ns = first + int(low * span), first + int(high * span)
            if harm.kind == "delisted":
                from_ns, to_ns = view.as_of_ns - int(low * span / 50), view.as_of_ns
            if harm.kind == "listed late":
                from_ns = 0
            rows = (frame.open_ns + INTERVAL_NS[interval] > from_ns) & (frame.open_ns < to_ns)
            _befall(fields, harm, rows, harm.column % view.size)
        bars[interval] = bar_frame(interval, frame.open_ns, fields)
    for harm in done:
        if harm.kind == "no quote":
            for name in ("bid", "ask", "bid_size", "ask_size"):
                quotes[name][harm.column % view.size] = np.nan
    return frozen(dataclasses.replace(view, bars=bars, quotes=dataclasses.replace(view.quotes, **quotes)))


def _befall(fields: dict[str, Floats], harm: Harm, rows: Any, column: int) -> None:
    if not rows.any():
        return
    if harm.kind in ("gap", "delisted", "listed late"):
        for name in BAR_FIELDS:
            fields[name][rows, column] = np.nan
    elif harm.kind == "no volume":
        for name in VOLUMES:
            fields[name][rows, column] = 0.0
    elif harm.kind == "frozen":
        price = fields["close"][np.flatnonzero(rows)[0], column]
        for name in PRICES:
            fields[name][rows, column] = np.where(np.isnan(fields[name][rows, column]), np.nan, price)
    elif harm.kind == "no takers":
        fields["taker_buy_volume"][rows, column] = np.nan
    elif harm.kind == "no turnover":
        fields["quote_volume"][rows, column] = np.nan


def shortened(view: View, rows: int) -> View:
    """The newest bars alone."""
    bars = {
        interval: bar_frame(
            interval, frame.open_ns[-rows:], {name: getattr(frame, name)[-rows:] for name in BAR_FIELDS}
        )
        for interval, frame in view.bars.items()
    }
    return frozen(dataclasses.replace(view, bars=bars))


def answered(view: View) -> Mapping[str, int]:
    """How many ideas each strategy has about a view, after everything it says was found to be sound."""
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    results, coverage = scan_view(part, Question(ScanRequest(), RICH, strategies(), "test"))
    assert [report.strategy_id for report in results.strategies] == list(strategies())
    for report in results.strategies:
        assert report.outcome in ("ok", "empty", "skipped"), (report.strategy_id, report.reason)
        assert sum(report.dispositions.values()) == report.candidates, report.strategy_id
    for _, answer in coverage.candidates:
        assert all(np.isfinite(value) for _, value in numbers(msgspec.to_builtins(answer))), answer
    for found in results.found:
        idea = found.opportunity
        for path, value in numbers(msgspec.to_builtins(idea, builtin_types=())):
            assert np.isfinite(value), (idea.strategy_id, path)
        for leg in idea.legs:
            assert leg.quantity > 0
            if leg.instrument in view.column_of and idea.evidence.kind == "bars":
                assert not np.isnan(view.quotes.bid[view.column_of[leg.instrument]])
    for table in part.tables.values():
        proven(table)
    return {report.strategy_id: report.opportunities for report in results.strategies}


def proven(table: EventTable) -> None:
    """Past events are finite, lie in time and make finite cards."""
    for name in ("gross", "strength", "adverse", "favourable"):
        assert np.isfinite(getattr(table, name)).all(), (table.strategy_id, name)
    assert (table.row < table.entry_row).all()
    assert (table.entry_row <= table.exit_row).all()
    assert (table.entry_ns < table.exit_ns).all()
    card = Scorer(table, np.full(len(table.instruments), 25.0)).summary()
    assert all(np.isfinite(value) for _, value in numbers(msgspec.to_builtins(card))), table.strategy_id


def scored(view: View) -> None:
    """Scores lie within their range or are absent."""
    try:
        found = evaluate(view)
    except Insufficient:
        return
    for said in (found.history.confluence, found.now.folded.confluence):
        assert np.all(np.isnan(said) | (np.abs(said) <= 1.0))
    for share in (found.history.coverage, found.now.folded.coverage):
        assert np.all((share >= 0.0) & (share <= 1.0))


@settings(
    max_examples=8, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(done=st.lists(harms, min_size=1, max_size=6), few=st.sampled_from([None, None, 1, 3, 130]))
def test_whatever_befalls_the_bars_is_answered_and_finite(done: list[Harm], few: int | None) -> None:
    view = harmed(market(), done)
    view = view if few is None else shortened(view, few)
    answered(view)
    scored(view)


@pytest.mark.parametrize("column", [0, 9])
def test_a_single_instrument_is_answered(column: int) -> None:
    view = reordered(market(), [column])
    only = view.instruments[0].instrument
    funding = {key: series for key, series in view.funding_history.items() if key == only}
    interest = {key: series for key, series in view.open_interest_history.items() if key == only}
    view = frozen(dataclasses.replace(view, funding_history=funding, open_interest_history=interest))
    answered(view)
    scored(view)


def test_two_thousand_instruments_of_which_most_are_broken_are_answered() -> None:
    """Copies of a dozen under other names: one third whole, the others with a gap, without trades, or delisted."""
    view = market()
    count = 2_000
    rng = np.random.default_rng(5)
    column = rng.integers(0, view.size, count)
    fate = rng.integers(0, 6, count)
    bars: dict[Interval, BarFrame] = {}
    for interval, frame in view.bars.items():
        rows = min(frame.rows, 140)
        fields = {name: getattr(frame, name)[-rows:][:, column].copy() for name in BAR_FIELDS}
        for name in BAR_FIELDS:
            fields[name][rows // 2 : rows // 2 + 3, fate == 2] = np.nan
            fields[name][-2:, fate == 3] = np.nan
        for name in VOLUMES:
            fields[name][:, fate == 4] = 0.0
        bars[interval] = bar_frame(interval, frame.open_ns[-rows:], fields)
    specs = tuple(
        msgspec.structs.replace(
            view.instruments[place],
            instrument=msgspec.structs.replace(view.instruments[place].instrument, base=f"N{number:04}"),
        )
        for number, place in enumerate(column.tolist())
    )
    many = dataclasses.replace(
        view,
        instruments=specs,
        bars=bars,
        quotes=dataclasses.replace(view.quotes, **{n: x[column] for n, x in vars(view.quotes).items()}),
        books=dataclasses.replace(view.books, **{n: x[column] for n, x in vars(view.books).items()}),
        derivatives=dataclasses.replace(
            view.derivatives, **{n: x[column] for n, x in vars(view.derivatives).items()}
        ),
        funding_history={},
        open_interest_history={},
        trades={},
    )
    told = answered(frozen(many))
    assert told.keys() == strategies().keys()
    scored(many)
