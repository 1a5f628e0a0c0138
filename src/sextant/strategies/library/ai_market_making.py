"""Resting on both sides of a wide and busy book earns its half spreads: others pay for immediacy.

It loses where those who trade know more, and where fees eat what the book offers; at ordinary fees tight books cannot be made.
The opportunity describes a book worth quoting; it does not pretend to quote it anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import SECOND_NS, Interval
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import silent
from sextant.strategies.contract import Gate, Need, Param, Signals, Strategy, Verdict
from sextant.strategies.dispositions import Lack
from sextant.strategies.flow import (
    LEAST_PER_SIDE,
    LEAST_POINTS,
    LEAST_TRADES,
    WINDOW_S,
    Flow,
    flow_of,
    sweeps_of,
)
from sextant.strategies.gates import common_gates
from sextant.strategies.inputs import Missing, missing_inputs
from sextant.strategies.making import FACTS, judge

INTERVAL: Final[Interval] = "1m"
MINUTES: Final = 60
JUMP_ROWS: Final = 5
LEVELS: Final = 10
TRADE_AGE_S: Final = 60.0

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
    wide = ticks[0] >= params["spread_ticks"]  # the flow of a book that fails by its spread need not be read
    for column in np.flatnonzero(wide).tolist():
        if missing[column] is None:
            missing[column] = _tell_flow(view, column, facts)
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


def _tell_flow(view: View, column: int, facts: dict[str, Floats]) -> Missing:
    """Fill in the flow of one book; the first that is missing, or None."""
    tape = view.trades.get(view.instruments[column].instrument)
    if tape is None or not len(tape.event_ns):
        return ("trades", 0.0, float(LEAST_TRADES), "trades")
    age_s = (view.as_of_ns - int(tape.event_ns[-1])) / SECOND_NS
    levels = _levels(view)[column]
    sigma = float(facts["sigma_minute"][0, column])
    flow = flow_of(sweeps_of(tape, view.as_of_ns), float(facts["half_spread"][0, column]))
    slower = float(min(flow.buys, flow.sells))
    decays = float(flow.k > 0 and math.isfinite(flow.adverse_se_bps))
    checks: tuple[tuple[bool, Lack], ...] = (
        (age_s <= TRADE_AGE_S, ("trades.age_s", age_s, TRADE_AGE_S, "s")),
        (levels >= LEVELS, ("books.levels", float(levels), float(LEVELS), "levels")),
        (sigma > 0, ("volatility", 0.0, 1.0, "values")),
        (
            flow.count >= LEAST_TRADES,
            (f"trades.{WINDOW_S:.0f}s", float(flow.count), float(LEAST_TRADES), "trades"),
        ),
        (slower >= LEAST_PER_SIDE, ("trades.per_side", slower, float(LEAST_PER_SIDE), "trades")),
        (
            flow.points >= LEAST_POINTS,
            ("flow.depth_points", float(flow.points), float(LEAST_POINTS), "points"),
        ),
        (decays > 0, ("flow.decay", decays, 1.0, "values")),
    )
    lack = next((lack for good, lack in checks if not good), None)
    if lack is None:
        _note(flow, column, facts)
    return lack


def _levels(view: View) -> list[int]:
    """Levels of the shallower side of each book."""
    known: list[int] | None = view.kept.get("book_levels")
    if known is None:
        sides = (np.isfinite(side).sum(axis=1) for side in (view.books.bid_price, view.books.ask_price))
        known = view.kept["book_levels"] = np.minimum(*sides).tolist()
    return known


def _note(flow: Flow, column: int, facts: dict[str, Floats]) -> None:
    buyers, sellers = flow.rates
    for name, value in (
        ("k", flow.k),
        ("log_a_buy", buyers.log_a),
        ("k_buy", buyers.k),
        ("log_a_sell", sellers.log_a),
        ("k_sell", sellers.k),
        ("adverse", flow.adverse_bps),
        ("adverse_se", flow.adverse_se_bps),
        ("deepest", flow.deepest_bps),
        ("toxicity", flow.toxicity),
        ("trades", float(flow.count)),
        ("hourly", flow.hourly),
    ):
        facts[name][0, column] = value


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
