"""The whole market at one time: breadth, dispersion, regime, what follows its leader, and how perpetuals are paid.

Every figure carries of how many instruments it was taken. Absent is NaN, never a middle value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

SPREAD_OF_NORMAL: Final = 1.4826
STRESS_DISPERSION: Final = 2.0
STRESS_HV: Final = 0.6
BROAD: Final = 0.60
BROAD_LEAVE: Final = 0.55
NARROW_RETURN: Final = 0.01
DWELL_NS: Final = 15 * 60 * 1_000_000_000

LEAD_ROWS: Final = 240
LEAD_LAGS: Final = 10
LEAD_LEAST: Final = 0.193649
"""Three standard errors of a correlation of 240 rows, 3/sqrt(240)."""
LEAD_MARGIN: Final = 0.05
NO_LEAD: Final = -1

RISK_WEIGHTS: Final = (0.35, 0.25, 0.20, 0.20)

MarketRegime = Literal["unknown", "stress", "broad_up", "broad_down", "narrow_up", "narrow_down", "mixed"]


@dataclass(frozen=True)
class Share:
    """A share of instruments and of how many it was taken; ``frac`` is None where there is none."""

    frac: float | None
    n: int
    of: int


def breadth(moved: Floats, chosen: Flags, weight: Floats | None = None) -> Share:
    """The share of the chosen instruments that rose, those that stood still counting half.

    Parameters
    ----------
    moved
        Returns, (S,), NaN where unknown.
    chosen
        Which instruments count.
    weight
        By what they count; equally where absent.

    Notes
    -----
    The breadth of the mirrored market is one less this.
    """
    known = chosen & ~np.isnan(moved) & (True if weight is None else ~np.isnan(weight))
    n, of = int(np.count_nonzero(known)), int(np.count_nonzero(chosen))
    size = np.where(known, 1.0 if weight is None else weight, 0.0)
    total = _summed(size)
    if n == 0 or total <= 0:
        return Share(None, n, of)
    up = _summed(np.where(known, size * (0.5 + 0.5 * np.sign(np.where(known, moved, 0.0))), 0.0))
    return Share(up / total, n, of)


def dispersion(moved: Floats, chosen: Flags) -> Share:
    """How far returns lie apart: 1.4826 times the lower median distance from their lower median, zeros included."""
    x = moved[chosen & ~np.isnan(moved)]
    of = int(np.count_nonzero(chosen))
    if not len(x):
        return Share(None, 0, of)
    return Share(SPREAD_OF_NORMAL * lower_median(np.abs(x - lower_median(x))), len(x), of)


def lower_median(x: Floats) -> float:
    """``sorted(x)[(n-1)//2]``; no two values are averaged."""
    return float(np.sort(x)[(len(x) - 1) // 2])


@dataclass(frozen=True)
class Mood:
    """What the market's regime is read from; None where unknown.

    Parameters
    ----------
    up_24h, median_24h, leader_24h
        Breadth, median return and the leader's return of 24 hours.
    dispersion, usual_dispersion
        Of today, and the lower median of its last 30 days.
    leader_hv
        How far the leader's volatility is above its usual, 0 to 1.
    """

    up_24h: float | None
    median_24h: float | None
    leader_24h: float | None
    dispersion: float | None
    usual_dispersion: float | None
    leader_hv: float | None


@dataclass(frozen=True)
class Held:
    """A regime and since when."""

    label: MarketRegime
    since_ns: int


def regime_of(mood: Mood, held: Held, now_ns: int) -> Held:
    """The market's regime; one that was taken is kept for a quarter of an hour, and a broad one until .55."""
    label = _label(mood, held.label)
    if label == held.label or (held.label != "unknown" and now_ns - held.since_ns < DWELL_NS):
        return held
    return Held(label, now_ns)


def _label(mood: Mood, before: MarketRegime) -> MarketRegime:
    if mood.up_24h is None or mood.median_24h is None:
        return "unknown"
    spread, usual = mood.dispersion, mood.usual_dispersion
    apart = spread is not None and usual is not None and spread > STRESS_DISPERSION * usual
    if apart or (mood.leader_hv is not None and mood.leader_hv >= STRESS_HV):
        return "stress"
    up, down = mood.up_24h, 1.0 - mood.up_24h
    if up >= (BROAD_LEAVE if before == "broad_up" else BROAD) and mood.median_24h > 0:
        return "broad_up"
    if down >= (BROAD_LEAVE if before == "broad_down" else BROAD) and mood.median_24h < 0:
        return "broad_down"
    led = mood.leader_24h
    if led is not None and led > NARROW_RETURN and mood.median_24h <= 0:
        return "narrow_up"
    if led is not None and led < -NARROW_RETURN and mood.median_24h >= 0:
        return "narrow_down"
    return "mixed"


@dataclass(frozen=True, eq=False)
class Following:
    """How each instrument follows the leader over some rows; float64 (S,), NaN where fewer than 80 % are known.

    Parameters
    ----------
    beta, alpha, corr
        Slope, return per row beyond it, and correlation.
    n
        Rows where both are known.
    """

    beta: Floats
    alpha: Floats
    corr: Floats
    n: Integers

    @property
    def explained(self) -> Floats:
        """The square of the correlation."""
        out: Floats = self.corr * self.corr
        return out


def following(moved: Floats, leader: int) -> Following:
    """How returns (T, S) follow those of the leading column; a leader that never moved gives nothing."""
    rows = len(moved)
    both = ~np.isnan(moved) & ~np.isnan(moved[:, leader : leader + 1])
    n = np.count_nonzero(both, axis=0)
    x = np.where(both, moved[:, leader : leader + 1], 0.0)
    y = np.where(both, moved, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = _down(x) / n, _down(y) / n
        dx, dy = np.where(both, x - mean_x, 0.0), np.where(both, y - mean_y, 0.0)
        cov, var_x, var_y = _down(dx * dy) / n, _down(dx * dx) / n, _down(dy * dy) / n
        beta = np.where(var_x > 0, cov / var_x, np.nan)
        corr = np.where((var_x > 0) & (var_y > 0), cov / (np.sqrt(var_x) * np.sqrt(var_y)), np.nan)
    enough = n * 5 >= rows * 4
    told = [np.where(enough & (n > 0), part, np.nan) for part in (beta, mean_y - beta * mean_x, corr)]
    return Following(told[0], told[1], told[2], n)


def leads_of(moved: Floats, leader: int) -> Integers:
    """By how many rows the leading column goes ahead of each, (S,); ``NO_LEAD`` where nothing is clear.

    Parameters
    ----------
    moved
        Returns of 240 rows, (T, S); a column with a hole has no lead.

    Notes
    -----
    The lag of the largest correlation, told only if that is beyond chance and clearly larger than without a lag. Each
    lag is judged by the rows it has, about their own means.
    """
    none = np.full(moved.shape[1], NO_LEAD, dtype=np.int64)
    if len(moved) < LEAD_ROWS or np.isnan(moved[:, leader]).any():
        return none
    whole = ~np.isnan(moved).any(axis=0)
    known = np.where(whole, moved, 0.0)
    other = known - _down(known) / len(known)
    ahead = other[:, leader]
    found = np.stack([np.abs(_lagged(ahead, other, lag)) for lag in range(LEAD_LAGS + 1)])
    best = np.argmax(found, axis=0)
    most = found.max(axis=0)
    clear = whole & (best > 0) & (most >= LEAD_LEAST) & (most > found[0] + LEAD_MARGIN)
    return np.where(clear, best, none)


def _lagged(ahead: Floats, other: Floats, lag: int) -> Floats:
    """Correlation of a series with each column so many rows later, (S,); 0 where either stands still."""
    n = len(ahead) - lag
    x, y = ahead[:n], other[lag:]
    dx = x - _summed(x) / n
    dy = y - _down(y) / n
    size = np.sqrt(_summed(dx * dx)) * np.sqrt(_down(dy * dy))
    out: Floats = np.divide(_down(dx[:, None] * dy), size, out=np.zeros(len(size)), where=size > 0)
    return out


@dataclass(frozen=True, eq=False)
class Paid:
    """What is known of perpetuals, float64 (S,) each; NaN where unknown.

    Parameters
    ----------
    f8
        Funding per 8 hours, fraction; positive where longs pay.
    interest_usd, before_usd
        Open interest now and 24 hours ago.
    basis
        Mark over index less one.
    long_share
        Share of accounts that are long.
    closed_long_usd, closed_short_usd
        Positions closed by force in 24 hours, by their side; known only where all of the day was watched.
    """

    f8: Floats
    interest_usd: Floats
    before_usd: Floats
    basis: Floats
    long_share: Floats
    closed_long_usd: Floats
    closed_short_usd: Floats


@dataclass(frozen=True)
class Pulse:
    """How perpetuals are paid and held; each is None where nothing is known, and none is derived from another.

    Notes
    -----
    Weights are open interest. The change of open interest is that of the instruments known at both ends.
    """

    f8_weighted: Share
    f8_median: Share
    f8_positive: Share
    open_interest_usd: Share
    open_interest_change: Share
    basis_median: Share
    long_share_weighted: Share
    closed_long_usd: Share
    closed_short_usd: Share


def pulse(paid: Paid, chosen: Flags) -> Pulse:
    """Funding per 8 h, open interest, basis, accounts and forced closes of the chosen perpetuals."""
    of = int(np.count_nonzero(chosen))

    def told(known: Flags, value: float | None) -> Share:
        n = int(np.count_nonzero(known))
        return Share(value if n else None, n, of)

    def weighted(x: Floats) -> Share:
        known = chosen & ~np.isnan(x) & ~np.isnan(paid.interest_usd)
        weight = _summed(np.where(known, paid.interest_usd, 0.0))
        moment = _summed(np.where(known, paid.interest_usd * np.where(known, x, 0.0), 0.0))
        return told(known, moment / weight if weight > 0 else None)

    def summed(x: Floats) -> Share:
        known = chosen & ~np.isnan(x)
        return told(known, _summed(np.where(known, x, 0.0)))

    def middle(x: Floats) -> Share:
        known = chosen & ~np.isnan(x)
        return told(known, lower_median(x[known]) if known.any() else None)

    rated = chosen & ~np.isnan(paid.f8)
    positive = int(np.count_nonzero(paid.f8[rated] > 0))
    both = chosen & ~np.isnan(paid.interest_usd) & ~np.isnan(paid.before_usd)
    after, before = (_summed(np.where(both, x, 0.0)) for x in (paid.interest_usd, paid.before_usd))
    return Pulse(
        f8_weighted=weighted(paid.f8),
        f8_median=middle(paid.f8),
        f8_positive=told(rated, positive / len(paid.f8[rated]) if rated.any() else None),
        open_interest_usd=summed(paid.interest_usd),
        open_interest_change=told(both, after / before - 1.0 if before > 0 else None),
        basis_median=middle(paid.basis),
        long_share_weighted=weighted(paid.long_share),
        closed_long_usd=summed(paid.closed_long_usd),
        closed_short_usd=summed(paid.closed_short_usd),
    )


def liquidation_risk(interest_usd: Floats, f8: Floats, moved: Floats, turnover: Floats) -> Floats:
    """Where each instrument stands in what makes forced closes likely, 0 to 1; NaN where an input is unknown.

    Notes
    -----
    .35 open interest + .25 abs(funding) + .20 abs(24 h return) + .20 turnover, each as its rank in [0, 1]: a share of
    the maximum would let one outlier decide.
    """
    parts = (interest_usd, np.abs(f8), np.abs(moved), turnover)
    out: Floats = np.zeros(len(interest_usd))
    for weight, part in zip(RISK_WEIGHTS, parts, strict=True):
        out = out + weight * ranks(part)
    return out


def ranks(x: Floats) -> Floats:
    """Rank of each known value in [0, 1], equal ones alike; NaN where unknown, 1 where it is the only one."""
    known = np.sort(x[~np.isnan(x)])
    if len(known) < 2:
        return np.where(np.isnan(x), np.nan, 1.0)
    low = np.searchsorted(known, x, side="left")
    high = np.searchsorted(known, x, side="right")
    return np.where(np.isnan(x), np.nan, (low + high - 1) / 2.0 / (len(known) - 1))


def _summed(x: Floats) -> float:
    # One after the other, in the order of the instruments.
    return float(np.cumsum(x)[-1]) if len(x) else 0.0


def _down(x: Floats) -> Floats:
    """Sums over the rows, one after the other, so that a column alone has the bits of the column among many."""
    out: Floats = np.cumsum(x, axis=0)[-1] if len(x) else np.zeros(x.shape[1])
    return out
