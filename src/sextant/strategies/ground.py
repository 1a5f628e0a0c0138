"""What is known of a portfolio before anything is said about it: holdings, scenarios, shortfall, and how well they held."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.scorecard import Scorecard
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from sextant.strategies.contract import Signals, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Lack
from sextant.strategies.holdings import COVERAGE, PRICE_AGE_S, Holdings, holdings_of
from sextant.strategies.sizing import PROFILES, Profile
from sextant.strategies.tail import (
    HALF_LIFE,
    LEAST_ROWS,
    LEVEL,
    MOST_ROWS,
    Backtest,
    backtest,
    over_days,
    scenarios,
    shortfall,
)

BARS_AGE_S: Final = 1.5 * 86_400.0
_ROWS: Final = MOST_ROWS + round(HALF_LIFE) + 1


@dataclass(frozen=True, eq=False)
class Ground:
    """What is known of a portfolio.

    Parameters
    ----------
    pricing, holdings
        The market and what is held, priced.
    modelled
        Assets whose risk is known, the largest first.
    left_out
        Assets without enough history, each with its days; together at most 5 % of all exposure.
    returns
        float64 (T, N): daily log returns of the modelled assets, aligned by date.
    days
        int64 (T,): rows of the daily frame that they belong to.
    rows
        float64 (T', N): scenarios of one day at today's volatility, widened where the past says so.
    tested
        How the model would have done; None with too few days.
    """

    pricing: Pricing
    holdings: Holdings
    modelled: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...]
    returns: Floats
    days: Integers
    rows: Floats
    tested: Backtest | None

    @cached_property
    def exposure(self) -> Floats:
        """float64 (N,): signed USD of the modelled assets."""
        return np.array([self.holdings.exposure[asset] for asset in self.modelled], dtype=np.float64)

    @property
    def profile(self) -> Profile:
        """The numbers of the account's risk profile."""
        return PROFILES[self.pricing.account.profile]

    @property
    def equity_usd(self) -> float:
        """Equity."""
        return self.holdings.equity_usd

    @cached_property
    def budget_usd(self) -> float:
        """ES97.5 of one day that the profile allows."""
        return self.profile.es_budget_frac * self.equity_usd

    @cached_property
    def es_usd(self) -> float:
        """ES97.5 of one day."""
        return self.es_of(self.exposure)

    @property
    def price_of_risk(self) -> float:
        """USD that removing one USD of shortfall is worth; it rises when the account is over budget."""
        return self.profile.price_of_risk * max(1.0, self.es_usd / self.budget_usd)

    def es_of(self, exposure: Floats, level: float = LEVEL, days: int = 1) -> float:
        """Expected shortfall of an exposure, USD, >= 0."""
        if not len(exposure):
            return 0.0
        rows = self.rows if days == 1 else over_days(self.rows, days)
        return max(shortfall(rows @ exposure, level), 0.0)

    def es_without(self, asset: str, usd: float) -> float:
        """ES97.5 of one day with ``usd`` of exposure to an asset taken away."""
        changed = self.exposure.copy()
        if asset in self.modelled:
            place = self.modelled.index(asset)
            changed[place] -= math.copysign(usd, changed[place])
        return self.es_of(changed)

    def sigma_day(self, asset: str) -> float:
        """Volatility of a day of an asset, from its scenarios; NaN where it has none."""
        if asset not in self.modelled:
            return math.nan
        return float(self.rows[:, self.modelled.index(asset)].std(ddof=1))

    def warnings(self) -> tuple[str, ...]:
        """What the reader must know of the numbers."""
        told = list(self.holdings.warnings())
        told += [
            f"{asset} has {days} of {LEAST_ROWS} days and is left out of the risk; at most its "
            f"{abs(self.holdings.exposure[asset]):.0f} USD can be lost."
            for asset, days in self.left_out
        ]
        if self.tested is None and self.modelled:
            told.append(
                f"{len(self.returns)} days that all assets have are too few to test the risk numbers."
            )
        if self.tested is not None and not self.tested.holds:
            told.append(
                f"VaR97.5 was exceeded on {self.tested.beyond} of {self.tested.days} days; risk is widened by {self.tested.factor:.2f}."
            )
        if self.pricing.view.simulated:
            told.append("The market is simulated.")
        return tuple(told)

    def card(self) -> Scorecard:
        """Evidence of the risk numbers: how often the past went beyond them."""
        tested = self.tested
        common: dict[str, Any] = {"kind": "portfolio", "source": "backtest of VaR97.5", "bucket": "portfolio"}
        if tested is None:
            reason = f"{len(self.returns)} days are too few for a backtest"
            return Scorecard(
                **common, status="insufficient_history", reason=reason, n=0, n_eff=0.0, clusters_count=0
            )
        reason = f"{tested.beyond} of {tested.days} days were beyond VaR97.5"
        return Scorecard(
            **common,
            status="analytic" if tested.holds else "insufficient_history",
            reason=reason,
            n=tested.days,
            n_eff=float(tested.days),
            clusters_count=tested.days,
            grade="analytic" if tested.holds else "unproven",
        )


def ground_of(pricing: Pricing) -> Ground | Lack:
    """What a portfolio strategy stands on, or the first input that is missing, too old or too short."""
    holdings = holdings_of(pricing)
    coverage = holdings.coverage_frac
    frame = pricing.view.bars["1d"]
    bars_age_s = (pricing.view.as_of_ns - (frame.last_close_ns or 0)) / SECOND_NS
    checks: tuple[tuple[bool, Lack], ...] = (
        (holdings.equity_usd > 0, ("portfolio.equity_usd", holdings.equity_usd, 0.0, "USD")),
        (math.isfinite(coverage), ("portfolio.priced", 0.0, float(len(holdings.unpriced)), "assets")),
        (coverage >= COVERAGE, ("portfolio.coverage", coverage, COVERAGE, "fraction")),
        (holdings.age_s <= PRICE_AGE_S, ("portfolio.age_s", holdings.age_s, PRICE_AGE_S, "s")),
        (bars_age_s <= BARS_AGE_S, ("bars.1d.age_s", bars_age_s, BARS_AGE_S, "s")),
    )
    lack = next((lack for good, lack in checks if not good), None)
    if lack is not None:
        return lack
    return _modelled(pricing, holdings)


def _modelled(pricing: Pricing, holdings: Holdings) -> Ground | Lack:
    frame = pricing.view.bars["1d"]
    known: list[str] = []
    left_out: list[tuple[str, int]] = []
    logs: dict[str, Floats] = {}
    for asset in holdings.assets:
        column = holdings.columns.get(asset)
        if column is None:
            left_out.append((asset, 0))
            continue
        close = frame.close[-_ROWS:, column]
        r = np.diff(np.log(close))
        rows = int(np.isfinite(r).sum())
        if rows < LEAST_ROWS or not np.any(r[np.isfinite(r)][-round(HALF_LIFE) :] != 0):
            left_out.append((asset, rows))
        else:
            known.append(asset)
            logs[asset] = r
    returns, days = _aligned(known, logs, left_out)
    days = days + (frame.rows - len(frame.close[-_ROWS:]) + 1)
    gross = math.fsum(abs(usd) for usd in holdings.exposure.values())
    blind = math.fsum(abs(holdings.exposure[asset]) for asset, _ in left_out)
    if gross > 0 and blind / gross > 1.0 - COVERAGE:
        asset, rows = max(left_out, key=lambda item: abs(holdings.exposure[item[0]]))
        return (f"bars.1d.{asset}", float(rows), float(LEAST_ROWS), "rows")
    vector = np.array([holdings.exposure[asset] for asset in known], dtype=np.float64)
    tested = backtest(returns, vector) if known else None
    rows_now = scenarios(returns) if known else np.empty((0, 0))
    if tested is not None:
        rows_now = rows_now * tested.factor
    return Ground(pricing, holdings, tuple(known), tuple(left_out), returns, days, rows_now, tested)


def _aligned(
    known: list[str], logs: dict[str, Floats], left_out: list[tuple[str, int]]
) -> tuple[Floats, Integers]:
    """Days that all assets have, and which they are; while these are too few, the asset with the fewest is left out."""
    while known:
        table = np.column_stack([logs[asset] for asset in known])
        whole = np.isfinite(table).all(axis=1)
        if int(whole.sum()) >= LEAST_ROWS:
            return np.ascontiguousarray(table[whole]), np.flatnonzero(whole)
        counts = np.isfinite(table).sum(axis=0)
        shortest = int(np.argmin(counts))
        left_out.append((known.pop(shortest), int(counts[shortest])))
    return np.empty((0, 0)), np.empty(0, dtype=np.int64)


def unspoken(view: View) -> Verdict:
    """The verdict of a strategy that says nothing about single instruments; skipped without daily bars."""
    frame = view.bars.get("1d")
    rows = 0 if frame is None else frame.rows
    shape = (rows, view.size)
    unknown = np.broadcast_to(np.float64(np.nan), shape)
    exits: NDArray[np.bool_] = np.zeros((*shape, 2), dtype=np.bool_)
    signals = Signals(np.zeros(shape, dtype=np.int8), unknown, unknown, unknown, exits, horizon_rows=1)
    skipped = None if rows else "no 1d bars"
    return Verdict("1d", signals, (), (None,) * view.size, {}, skipped=skipped)
