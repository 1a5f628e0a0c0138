"""The weather an instrument is in: trend, volatility, liquidity; weights follow it, the score never moves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.confluence.contract import Family
from sextant.confluence.nodes import Column, Node, Rolled, Seen, mapped, read
from sextant.confluence.normalise import ramp, ratio
from sextant.indicators.compiling import compiled
from sextant.model.bar import Floats, Integers

NEUTRAL_TREND: Final = 0.5
LABELS: Final = ("unknown", "low_liquidity", "high_volatility", "trend_up", "trend_down", "range")
ENTER: Final = 0.6
LEAVE: Final = 0.4
LEAST_ROWS: Final = 5


def trend_of(adx: Floats, efficiency: Floats) -> Floats:
    """Strength of the trend, tau in [0, 1]; both medians of markets map near .5."""
    out: Floats = 0.5 * ramp(adx, 15.0, 35.0) + 0.5 * ramp(efficiency, 0.05, 0.40)
    return out


def above_usual(x: Floats, usual: Floats) -> Floats:
    """0 up to one and a half times the usual, 1 from three times on."""
    return np.where(usual > 0, ramp(ratio(x, usual), 1.5, 3.0), np.nan)


def below_usual(x: Floats, usual: Floats) -> Floats:
    """0 down to .7 of the usual, 1 from .3 on."""
    return np.where(usual > 0, ramp(ratio(x, usual), 0.7, 0.3), np.nan)


def sign_of(short: Floats, long: Floats) -> Floats:
    """1 where the short mean is above the long, -1 where below."""
    out: Floats = np.sign(short - long)
    return out


_RV: Final = read("realized_volatility")
_SPREAD: Final = Column("spread_bps")
_DEPTH: Final = Column("band_depth_usd_25")

PARTS: Final[Mapping[str, Node]] = {
    "trend": Seen("30m", mapped(trend_of, read("adx"), read("efficiency_ratio"))),
    "sign": Seen("30m", mapped(sign_of, read("sma"), read("sma", window=50))),
    "volatility": mapped(above_usual, _RV, Rolled("usual", _RV)),
    "wide_spread": mapped(above_usual, _SPREAD, Rolled("usual", _SPREAD)),
    "thin_depth": mapped(below_usual, _DEPTH, Rolled("usual", _DEPTH)),
}
"""By name, what the regime reads on each 1m row."""


def known(parts: Mapping[str, Floats]) -> dict[str, Floats]:
    """tau, hv and ll with what stands in where a part is missing: .5, 0 and 0.

    Parameters
    ----------
    parts
        Some or all of :data:`PARTS`, NaN where unknown.
    """
    unknown = np.full((1, 1), np.nan)
    tau = parts.get("trend", unknown)
    hv = parts.get("volatility", unknown)
    wide, thin = parts.get("wide_spread", unknown), parts.get("thin_depth", unknown)
    ll = np.fmax(wide, thin)
    return {
        "tau": np.where(np.isnan(tau), NEUTRAL_TREND, tau),
        "hv": np.where(np.isnan(hv), 0.0, hv),
        "ll": np.where(np.isnan(ll), 0.0, ll),
    }


def multipliers(tau: Floats, hv: Floats, ll: Floats) -> dict[Family, Floats]:
    """What the regime makes of the weight of each family."""
    return {
        "trend": 0.75 + 0.5 * tau,
        "reversion": 1.25 - 0.5 * tau,
        "flow": 1.0 - 0.25 * ll,
        "book": np.maximum(0.25, 1.0 - 0.25 * hv - 0.5 * ll),
        "positioning": np.ones(np.shape(tau)),
    }


def label_state(columns: int) -> Integers:
    """Label and rows since it was taken, (2, S), unknown at first."""
    return np.zeros((2, columns), dtype=np.int64)


@compiled
def label_rows(state: Integers, parts: tuple[Floats, Floats, Floats, Floats], out: Integers) -> None:
    """Labels of some rows, positions in :data:`LABELS`; ``parts`` are tau, sign of the trend, hv and ll, (R, S).

    Notes
    -----
    A label is kept until its own strength is below .4 and five rows have passed. Unknown where the trend is.
    """
    tau, sign, hv, ll = parts
    for t in range(out.shape[0]):
        for s in range(out.shape[1]):
            label = 5
            if tau[t, s] != tau[t, s]:
                label = 0
            elif ll[t, s] >= ENTER:
                label = 1
            elif hv[t, s] >= ENTER:
                label = 2
            elif tau[t, s] >= ENTER and sign[t, s] != 0.0:
                label = 3 if sign[t, s] > 0 else 4
            now = state[0, s]
            own = 0.0
            if now == 1:
                own = ll[t, s]
            elif now == 2:
                own = hv[t, s]
            elif now in (3, 4):
                own = tau[t, s] if (sign[t, s] > 0) == (now == 3) else 0.0
            elif now == 5:
                own = 1.0 - tau[t, s]
            state[1, s] += 1
            free = now == 0 or label == 0 or (own < LEAVE and state[1, s] >= LEAST_ROWS)
            if label != now and free:
                state[0, s] = label
                state[1, s] = 0
            out[t, s] = state[0, s]
