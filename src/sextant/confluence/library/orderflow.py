"""Who takes: bought against sold volume, turnover, counts and large trades, and what they do to the price."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.contract import DERIVATIVES, Dimension, Need, SubScore
from sextant.confluence.nodes import Column, Rolled, Seen, mapped, read
from sextant.confluence.normalise import Per, sq, together
from sextant.model.bar import Floats

_TRADES: Final = Column("trade_count")
_CLOSE: Final = Column("close")
_INTEREST: Final = Column("open_interest")
_POINTS: Final = Rolled("hold", mapped(together, Rolled("run", _INTEREST), _INTEREST))
"""Points without a gap up to the newest; a point that has not come yet is no gap."""


def quadrant(interest: Floats, close: Floats, before: Floats) -> Floats:
    """Direction of positions opened with the price, weaker where they are closed.

    Parameters
    ----------
    interest
        Change of the open interest, fraction.
    close, before
        Close now and 60 bars ago.
    """
    o = sq(interest / 0.02)
    p = sq((close / before - 1.0) / 0.01)
    size = np.minimum(np.abs(p), np.abs(o)) * np.where(o >= 0, 1.0, 0.3)
    out: Floats = np.where(np.isnan(size), np.nan, np.sign(p) * size)
    return out


def _fewer(volume: Floats, bought: Floats, ups: Floats, downs: Floats) -> Floats:
    del volume, bought
    out: Floats = np.minimum(ups, downs)
    return out


def _bought_more(volume: Floats, bought: Floats) -> Floats:
    net = 2.0 * bought - volume
    return np.where(np.isnan(net), np.nan, np.where(net > 0, 1.0, 0.0))


def _sold_more(volume: Floats, bought: Floats) -> Floats:
    net = 2.0 * bought - volume
    return np.where(np.isnan(net), np.nan, np.where(net < 0, 1.0, 0.0))


_SIDES: Final = (Column("volume"), Column("taker_buy_volume"))
_EACH_SIDE: Final = mapped(
    _fewer,
    *_SIDES,
    Rolled("sum", mapped(_bought_more, *_SIDES), 60),
    Rolled("sum", mapped(_sold_more, *_SIDES), 60),
)


def _trades(need: float, rows: int) -> tuple[Need, ...]:
    return (Need(Rolled("recent", _TRADES, rows), need, "FEW_TRADES"),)


DIMENSION = Dimension(
    name="orderflow",
    weight=0.30,
    sub_scores=(
        SubScore(
            name="cvd",
            weight=0.22,
            family="flow",
            signal=mapped(Per(0.15), read("cumulative_delta", "ratio")),
            rows=60,
            streams=("trades",),
            needs=_trades(200, 60),
        ),
        SubScore(
            name="trade_flow",
            weight=0.17,
            family="flow",
            signal=mapped(Per(0.20), read("trade_flow")),
            rows=80,
            streams=("trades",),
            needs=_trades(50, 10),
        ),
        SubScore(
            name="open_interest",
            weight=0.15,
            family="positioning",
            signal=mapped(
                quadrant,
                Seen("grid", Rolled("hold", read("open_interest_change"))),
                _CLOSE,
                Rolled("lag", _CLOSE, 60),
            ),
            rows=61,
            streams=("open_interest", "bars"),
            needs=(Need(Seen("grid", _POINTS), 13, "SHORT_HISTORY", soft=False),),
            kinds=DERIVATIVES,
        ),
        SubScore(
            name="large_trade_flow",
            weight=0.15,
            family="flow",
            signal=mapped(Per(0.10), read("large_trade_flow")),
            rows=60,
            streams=("trades",),
            needs=_trades(500, 1440),
        ),
        SubScore(
            name="imbalance",
            weight=0.13,
            family="flow",
            signal=mapped(Per(0.20), read("count_imbalance")),
            rows=60,
            streams=("trades",),
            needs=_trades(30, 15),
        ),
        SubScore(
            name="liquidity",
            weight=0.10,
            family="flow",
            signal=mapped(Per(0.5), read("one_sided_impact", "asymmetry")),
            rows=61,
            streams=("trades",),
            needs=(Need(_EACH_SIDE, 10, "FEW_SAMPLES", soft=False),),
        ),
        SubScore(
            name="pressure",
            weight=0.08,
            family="flow",
            signal=mapped(Per(0.25), read("pressure")),
            rows=60,
            streams=("trades",),
            needs=_trades(10, 3),
        ),
    ),
    known_gaps=(
        "Where a venue's bar gives the volume of takers and no trade was seen, the number of trades is not checked.",
    ),
)
