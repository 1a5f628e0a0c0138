"""Resting on both sides of a wide and busy book earns its half spreads: others pay for immediacy.

It loses where those who trade know more, and where fees eat what the book offers; at ordinary fees tight books cannot be made.
The opportunity describes a book worth quoting; it does not pretend to quote it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import SECOND_NS, Interval
from sextant.model.view import Flags, TradeTape, View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import silent
from sextant.strategies.contract import Gate, Need, Param, Signals, Strategy, Verdict
from sextant.strategies.flow import (
    LEAST_PER_SIDE,
    LEAST_POINTS,
    LEAST_TRADES,
    WINDOW_S,
    flows_of,
)
from sextant.strategies.gates import common_gates
from sextant.strategies.inputs import Missing, missing_inputs
from sextant.strategies.making import FACTS, judge

INTERVAL: Final[Interval] = "1m"
MINUTES: Final = 60
JUMP_ROWS: Final = 5
LEVELS: Final = 10
TRADE_AGE_S: Final = 60.0
NO_TRADES: Final = TradeTape(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0))

NEEDS: Final = (
    Need("bars", INTERVAL, MINUTES + 1, 90.0),
    Need("quotes", None, 1, 5.0),
    Need("books", None, LEVELS, 2.0),
    Need("trades", None, LEAST_TRADES, TRADE_AGE_S),
)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What books and recent trades say now; nothing about the past, of which no books are kept.

    Notes
    -----
    Its facts have one row: everything that does not depend on who asks. Fees decide where to quote, and come later.
    """
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    missing = list(missing_inputs(columns, tuple(need for need in NEEDS if need.column != "trades")))
    facts = {name: np.full((1, view.size), np.nan) for name in FACTS}
    _tell_prices(columns, facts)
    facts["tick"][0] = [float(spec.tick) for spec in view.instruments]
    ticks = np.round(2.0 * facts["half_spread_usd"] / facts["tick"], 6)
    whole = np.array([lack is None for lack in missing], dtype=np.bool_)
    # The flow of a book that fails by its spread need not be read.
    wide = np.flatnonzero(whole & (ticks[0] >= params["spread_ticks"])).tolist()
    for column, lack in zip(wide, _tell_flows(view, wide, facts), strict=True):
        missing[column] = lack
    shape = (columns.frame(INTERVAL).rows, view.size)
    unknown = np.broadcast_to(np.float64(np.nan), shape)
    # The book's own spread is what is earned; the common cap on it would refuse the very books that pay.
    common = tuple(gate for gate in common_gates(columns, INTERVAL) if gate.name != "spread_bps")
    signals = Signals(
        direction=np.zeros(shape, dtype=np.int8),
        strength=unknown,
        stop=unknown,
        target=unknown,
        exit_flag=np.zeros((*shape, 2), dtype=np.bool_),
        horizon_rows=MINUTES,
    )
    spread = Gate("spread_ticks", ticks, params["spread_ticks"], 1, "ticks", live_only=True)
    # Without a direction there is no row that could have been acted on.
    nowhere = np.broadcast_to(np.False_, shape)
    return Verdict(
        INTERVAL, signals, (*common, spread), tuple(missing), facts, params=params, passing=nowhere
    )


def _tell_prices(columns: Columns, facts: dict[str, Floats]) -> None:
    """Half spreads, volatility of the last hour, and the largest of the last five minutes against it."""
    touch = columns.touch
    facts["half_spread_usd"][0] = 0.5 * (touch.ask - touch.bid)
    facts["half_spread"][0] = 0.5 * touch.spread_bps
    closes = columns.frame(INTERVAL).close[-MINUTES - 1 :]  # no other row is read
    returns = np.diff(np.log(closes), axis=0)
    if len(returns) == MINUTES:
        sigma = returns.std(axis=0, ddof=1)
        facts["sigma_minute"][0] = sigma
        with np.errstate(divide="ignore", invalid="ignore"):
            facts["jump"][0] = np.abs(returns[-JUMP_ROWS:]).max(axis=0) / sigma


def _tell_flows(view: View, columns: list[int], facts: dict[str, Floats]) -> list[Missing]:
    """Fill in the flows of some books; of each the first that is missing, or None."""
    tapes = [view.trades.get(view.instruments[column].instrument, NO_TRADES) for column in columns]
    flows = flows_of(tapes, facts["half_spread"][0, columns], view.as_of_ns)
    levels, sigma = _levels(view)[columns], facts["sigma_minute"][0, columns]
    last_ns = np.array([tape.event_ns[-1] if len(tape.event_ns) else 0 for tape in tapes], dtype=np.int64)
    age_s = (view.as_of_ns - last_ns) / SECOND_NS
    traded = np.array([float(len(tape.event_ns)) for tape in tapes])
    decays = ((flows.k > 0) & np.isfinite(flows.adverse_se_bps)).astype(np.float64)
    fewer = np.minimum(flows.buys, flows.sells)
    checks: tuple[tuple[Flags, str, Floats, float, str], ...] = (
        (traded > 0, "trades", traded, LEAST_TRADES, "trades"),
        (age_s <= TRADE_AGE_S, "trades.age_s", age_s, TRADE_AGE_S, "s"),
        (levels >= LEVELS, "books.levels", levels, LEVELS, "levels"),
        (sigma > 0, "volatility", np.zeros(len(columns)), 1, "values"),
        (flows.count >= LEAST_TRADES, f"trades.{WINDOW_S:.0f}s", flows.count, LEAST_TRADES, "trades"),
        (fewer >= LEAST_PER_SIDE, "trades.per_side", fewer, LEAST_PER_SIDE, "trades"),
        (flows.points >= LEAST_POINTS, "flow.depth_points", flows.points, LEAST_POINTS, "points"),
        (decays > 0, "flow.decay", decays, 1, "values"),
    )
    lacks: list[Missing] = [None] * len(columns)
    for good, name, has, needs, unit in reversed(checks):  # the first that fails is written last
        for place in np.flatnonzero(~good).tolist():
            lacks[place] = (name, float(has[place]), float(needs), unit)
    told = np.array([lack is None for lack in lacks], dtype=np.bool_)
    for name, values in (
        ("k", flows.k),
        ("log_a_buy", flows.log_a_buy),
        ("k_buy", flows.k_buy),
        ("log_a_sell", flows.log_a_sell),
        ("k_sell", flows.k_sell),
        ("adverse", flows.adverse_bps),
        ("adverse_se", flows.adverse_se_bps),
        ("deepest", flows.deepest_bps),
        ("toxicity", flows.toxicity),
        ("trades", flows.count),
        ("hourly", flows.hourly),
    ):
        facts[name][0, columns] = np.where(told, values, np.nan)
    return lacks


def _levels(view: View) -> Floats:
    """Levels of the shallower side of each book, (S,)."""
    known: Floats | None = view.kept.get("book_levels")
    if known is None:
        sides = (np.isfinite(side).sum(axis=1) for side in (view.books.bid_price, view.books.ask_price))
        known = view.kept["book_levels"] = np.minimum(*sides).astype(np.float64)
    return known


STRATEGY = Strategy(
    id="ai_market_making",
    name="AI Market Making",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="market_making",
    unit="book",
    lane="earn",
    evidence_kind="flow",
    needs=NEEDS,
    params=(
        Param("gamma", 0.02, 0.005, 0.1, "per bps"),
        Param("tau_s", 60.0, 10.0, 600.0, "s"),
        Param("spread_ticks", 2.0, 1.0, 10.0, "ticks"),
        Param("toxicity", 0.5, 0.1, 0.9, "fraction"),
        Param("jump", 4.0, 2.0, 8.0, "sigma"),
        Param("round_trip_s", 600.0, 60.0, 3_600.0, "s"),
        Param("significance", 1.28, 0.5, 3.0, "standard errors"),
        Param("inventory_sizes", 3.0, 1.0, 10.0, "sizes"),
        Param("flow_share", 0.05, 0.005, 0.2, "fraction"),
        Param("horizon_s", 3_600.0, 600.0, 14_400.0, "s"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    judge=judge,
    references=(
        "Avellaneda, Stoikov 2008, High-frequency trading in a limit order book, Quantitative Finance 8",
        "Gueant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk, Mathematics and Financial Economics 7",
        "Glosten, Milgrom 1985, Bid, Ask and Transaction Prices in a Specialist Market, Journal of Financial Economics 14",
    ),
    known_gaps=(
        "No books are recorded yet, so its fills are not replayed; evidence is the flow of the last fifteen minutes.",
        "Post-only fills are optimistic in fast books: half of the sweeps that reach a quote inside the touch fill it.",
        "On spot the sell side needs the asset at the venue; without it the size is bound by what lies there.",
    ),
)
