"""A portfolio of 12 assets: fourteen months of six optimisers against doing nothing, and the three strategies that protect it.

A made market of 12 assets with a common move, spot and perpetual, quotes, 561 days and 1,000 bars of 4h, and an account over
its budget of loss. No peer runs the same work.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import summary, tell, times_ms
from sextant.model.account import Account
from sextant.model.balance import Balance
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.times import INTERVAL_NS, Interval
from sextant.model.view import BarFrame, Quotes, Series, View, bar_frame, no_books, no_derivatives
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategy
from sextant.strategies.contest import contest
from sextant.strategies.optimise import Problem
from sextant.strategies.prices import CostAssumptions

ASSETS = ("BTC", "ETH", *(f"C{number:03d}" for number in range(10)))
END_NS = 1_790_000_000 // 86_400 * 86_400 * 10**9
DAYS, BARS = 561, 1_000
PROTECTORS = ("ai_risk_management", "ai_hedge_position", "ai_portfolio_optimization")


def spec(base: str, kind: Kind) -> InstrumentSpec:
    return InstrumentSpec(
        Instrument("bybit", base, "USDT", kind),
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
        min_notional=Decimal(5),
        contract_size=Decimal(1),
        status="trading",
        as_of_ns=END_NS,
        funding_interval_s=28_800 if kind == "perpetual" else None,
        max_leverage=Decimal(25) if kind == "perpetual" else None,
    )


def frame(interval: Interval, rows: int, sigma: float, dice: np.random.Generator) -> BarFrame:
    """Spot and perpetual of every asset on the same path, which ends at 100."""
    steps = sigma * (dice.standard_normal((rows, 1)) + 0.6 * dice.standard_normal((rows, len(ASSETS))))
    path = steps.cumsum(axis=0)
    close = np.repeat(100.0 * np.exp(path - path[-1]), 2, axis=1)
    columns = {
        "open": close,
        "high": close * 1.01,
        "low": close / 1.01,
        "close": close,
        "quote_volume": np.full(close.shape, 1e9),
    }
    open_ns = END_NS - INTERVAL_NS[interval] * np.arange(rows, 0, -1, dtype=np.int64)
    return bar_frame(interval, open_ns, columns)


def made_view() -> View:
    dice = np.random.default_rng(7)
    kinds: tuple[Kind, ...] = ("spot", "perpetual")
    specs = tuple(spec(base, kind) for base in ASSETS for kind in kinds)
    size, now = len(specs), np.full(len(specs), END_NS, dtype=np.int64)
    perpetual = np.tile([False, True], len(ASSETS))
    nothing = no_derivatives(size)
    facts = {name: getattr(nothing, name) for name in type(nothing).__dataclass_fields__}
    facts |= {
        "funding_rate": np.where(perpetual, 1e-4, np.nan),
        "funding_interval_s": np.where(perpetual, 28_800.0, np.nan),
        "next_funding_ns": np.where(perpetual, END_NS + 4 * INTERVAL_NS["1h"], 0).astype(np.int64),
        "event_ns": now,
    }
    settled = END_NS - 8 * INTERVAL_NS["1h"] * np.arange(200, 0, -1, dtype=np.int64)
    amounts = np.full(size, 1e6)
    return View(
        as_of_ns=END_NS,
        feed="demo",
        simulated=True,
        instruments=specs,
        bars={"1d": frame("1d", DAYS, 0.03, dice), "4h": frame("4h", BARS, 0.03 / 6**0.5, dice)},
        quotes=Quotes(np.full(size, 99.99), np.full(size, 100.01), amounts, amounts, now),
        books=no_books(size),
        derivatives=type(nothing)(**facts),
        funding_history={
            item.instrument: Series(settled, np.full(200, 1e-4))
            for item in specs
            if item.instrument.kind == "perpetual"
        },
        open_interest_history={},
        trades={},
    )


def holder() -> Account:
    """100,000 USD, a third of it in Bitcoin and nine tenths at risk."""
    shares = {"BTC": 0.34, **dict.fromkeys(ASSETS[1:], 0.05), "USDT": 0.11}
    balances = tuple(
        Balance(
            venue="bybit",
            asset=asset,
            total=Decimal(str(round(1e5 * share / (1.0 if asset == "USDT" else 100.0), 3))),
            free=Decimal(str(round(1e5 * share / (1.0 if asset == "USDT" else 100.0), 3))),
            value_usd=None,
            as_of_ns=END_NS,
            source="bench",
            reason="valued by the view",
        )
        for asset, share in shares.items()
    )
    return Account(equity_usd=1e5, coverage_frac=1.0, free_usd={"bybit": 11_000.0}, balances=balances)


def main() -> None:
    view, account, wanted = made_view(), holder(), ScanRequest()
    size = len(ASSETS)
    # Returns that promise something: without, the best ratio is refused before anything is solved.
    returns = np.diff(np.log(view.bars["1d"].close[:, ::2]), axis=0) + np.linspace(0.0, 0.004, size)
    problem = Problem(
        ASSETS, np.eye(size), np.zeros(size), np.full(size, 0.9 / size), np.full(size, 0.0011), 0.9
    )
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    asked = Asked(part, choose(view, wanted, part.turnover_usd), account, wanted)
    figures: dict[str, float | None] = {
        "assets": float(size),
        "contest_ms": summary(times_ms(lambda: contest(returns, problem)))["median"],
    }
    for name in PROTECTORS:
        work = partial(run_strategy, strategy(name), asked)
        figures[f"{name}_ms"] = summary(times_ms(work))["median"]
        figures[f"{name}_found"] = float(len(work().opportunities))
    tell("strategies.portfolio", figures)


if __name__ == "__main__":
    main()
