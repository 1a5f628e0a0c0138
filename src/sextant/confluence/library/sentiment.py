"""The crowd: funding, forced closes, volatility, accounts, the rest of the market and its leader."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.contract import DERIVATIVES, Dimension, Need, SubScore
from sextant.confluence.nodes import GRID, Column, Rolled, Seen, mapped, read
from sextant.confluence.normalise import Per, ratio, sq, together
from sextant.model.bar import Floats
from sextant.model.view import Flags

_INTEREST_TERM: Final = 0.0001
"""Funding per 8 h of a market without a crowd: 0.03 % a day."""
_DAY_5M: Final = 288
_FOUR_HOURS_5M: Final = 48
_LEAST_INSTRUMENTS: Final = 10
_SELECTED: Final = 20

_CLOSE: Final = Column("close")


def crowded(f8: Floats) -> Floats:
    """Against those who pay: long above the interest term, short below."""
    return -sq((f8 - _INTEREST_TERM) / 0.0005)


def _forced(imbalance: Floats, intensity: Floats) -> Floats:
    return 0.7 * imbalance * intensity


def _against(x: Floats) -> Floats:
    return -sq(x / 2.0)


def _change(close: Floats, before: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Floats = close / before - 1.0
    return out


def others(turnover: Floats, moved: Floats, day: Floats, eligible: Floats) -> Floats:
    """Share of the other selected instruments' turnover that rose, less the share that fell.

    Parameters
    ----------
    turnover, moved
        Turnover and return of the last hour, (R, S).
    day
        Turnover of the last 24 hours; the twenty eligible instruments with the largest are selected.
    eligible
        1 for an instrument that may count, else 0.

    Notes
    -----
    Sums run from the first instrument to the last.
    """
    known = _selected(turnover, moved, day, eligible)
    size = np.where(known, turnover, 0.0)
    signed = np.where(known, np.sign(moved) * size, 0.0)
    return ratio(_across(signed) - signed, _across(size) - size)


def how_many_others(turnover: Floats, moved: Floats, day: Floats, eligible: Floats) -> Floats:
    """How many instruments :func:`others` is taken over."""
    known = _selected(turnover, moved, day, eligible).astype(np.float64)
    left: Floats = _across(known) - known
    return left


def _selected(turnover: Floats, moved: Floats, day: Floats, eligible: Floats) -> Flags:
    ready = (eligible > 0) & (day > 0) & ~np.isnan(turnover) & ~np.isnan(moved)
    return _largest(np.where(ready, day, 0.0))


def _largest(x: Floats) -> Flags:
    """The twenty largest values above 0 of each row; of equal ones the first."""
    known: Flags = x > 0
    if x.shape[1] > _SELECTED:
        order = np.argsort(-x, axis=1, kind="stable")[:, :_SELECTED]
        chosen = np.zeros(x.shape, dtype=np.bool_)
        np.put_along_axis(chosen, order, True, axis=1)
        known = known & chosen
    return known


def _across(x: Floats) -> Floats:
    # A running sum adds in the order of the columns, where a plain sum would pair them as it likes.
    return np.cumsum(x, axis=1)[:, -1:]


def leader_of(x: Floats, leader: Floats) -> Floats:
    """The column of the leading instrument, for all; NaN without one."""
    at = np.flatnonzero(leader[-1] > 0) if leader.size else np.empty(0, dtype=np.int64)
    if not len(at):
        return np.full((x.shape[0], 1), np.nan)
    return np.ascontiguousarray(x[:, at[0] : at[0] + 1])


def _square(x: Floats) -> Floats:
    return x * x


def _product(x: Floats, y: Floats) -> Floats:
    return x * y


def followed(n: Floats, sums: tuple[Floats, ...], moved: Floats) -> Floats:
    """The leader's move of four hours where this instrument follows it.

    Parameters
    ----------
    n
        5m rows of the last 288 in which both are known.
    sums
        Over those rows: of x, x*x, y, y*y and x*y, x the return of the instrument and y the leader's.
    moved
        Return of the leader over four hours.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sx, sxx, sy, syy, sxy = (part / n for part in sums)
    var_x, var_y = np.maximum(sxx - sx * sx, 0.0), np.maximum(syy - sy * sy, 0.0)
    corr = ratio(sxy - sx * sy, np.sqrt(var_x) * np.sqrt(var_y))
    z = ratio(moved, np.sqrt(var_y) * np.sqrt(float(_FOUR_HOURS_5M)))
    out: Floats = np.maximum(0.0, corr) * sq(z / 2.0)
    return np.where(np.isnan(corr) | np.isnan(z), np.nan, out)


def _risk(*parts: Floats) -> Floats:
    return followed(parts[0], parts[1:6], parts[6])


def _one(x: Floats) -> Floats:
    return np.where(np.isnan(x), np.nan, 1.0)


def _as_is(x: Floats, close: Floats) -> Floats:
    return np.where(np.isnan(close), np.nan, x)


_R: Final = mapped(_change, _CLOSE, Rolled("lag", _CLOSE, 1))
_LEADER: Final = Column("leader")
_LED: Final = mapped(leader_of, _R, _LEADER)
_LED_4H: Final = mapped(leader_of, mapped(_change, _CLOSE, Rolled("lag", _CLOSE, _FOUR_HOURS_5M)), _LEADER)
_SHARE: Final = Column("long_share")


_X: Final = mapped(together, _R, _LED)
_Y: Final = mapped(together, _LED, _R)
_BOTH: Final = Rolled("recent", mapped(_one, _X), _DAY_5M)
_RISK: Final = mapped(
    _risk,
    _BOTH,
    *(
        Rolled("recent", part, _DAY_5M)
        for part in (_X, mapped(_square, _X), _Y, mapped(_square, _Y), mapped(_product, _X, _Y))
    ),
    _LED_4H,
)

_OTHERS: Final = (
    Rolled("sum", Column("quote_volume"), 60),
    mapped(_change, _CLOSE, Rolled("lag", _CLOSE, 60)),
    Rolled("recent", Column("quote_volume"), 1440),
    Column("eligible"),
)

DIMENSION = Dimension(
    name="sentiment",
    weight=0.07,
    sub_scores=(
        SubScore(
            name="funding_rate",
            weight=0.20,
            family="positioning",
            signal=mapped(crowded, read("funding", "f8")),
            rows=1,
            streams=("quote",),
            kinds=DERIVATIVES,
        ),
        SubScore(
            name="liquidations",
            weight=0.20,
            family="positioning",
            signal=mapped(
                _forced,
                read("liquidation_pressure", "imbalance"),
                read("liquidation_pressure", "intensity"),
            ),
            rows=1,
            streams=("liquidations",),
            needs=(Need(Rolled("run", Column("root_long")), 240, "SHORT_HISTORY"),),
            kinds=DERIVATIVES,
        ),
        SubScore(
            name="volatility",
            weight=0.18,
            family="trend",
            signal=mapped(Per(0.20), read("semivariance", "ratio")),
            rows=241,
        ),
        SubScore(
            name="long_short_ratio",
            weight=0.15,
            family="positioning",
            signal=mapped(_against, Seen("grid", Rolled("hold", read("long_short_skew")))),
            rows=1,
            streams=("account_ratio",),
            needs=(Need(Seen("grid", Rolled("filled", _SHARE, schedule=GRID)), GRID[2], "SHORT_HISTORY"),),
            kinds=DERIVATIVES,
        ),
        SubScore(
            name="market_activity",
            weight=0.15,
            family="trend",
            signal=mapped(Per(0.5), mapped(others, *_OTHERS)),
            rows=61,
            needs=(Need(mapped(how_many_others, *_OTHERS), _LEAST_INSTRUMENTS, "FEW_SAMPLES", soft=False),),
        ),
        SubScore(
            name="risk",
            weight=0.12,
            family="trend",
            signal=mapped(_as_is, Seen("5m", _RISK), _CLOSE),
            rows=1,
            needs=(Need(Seen("5m", _BOTH), 240, "WARMING", soft=False),),
            absent_for=("BTC",),
        ),
    ),
    known_gaps=(
        "Liquidations before the first bar are unknown.",
        "The leader is the perpetual of BTC of the same venue where there is one, else the first BTC instrument.",
    ),
)
