"""Who waits: the sides of the order book, sampled once a second and averaged over the bar."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.contract import Dimension, Need, SubScore
from sextant.confluence.nodes import DAY, Column, Node, Rolled, mapped, read
from sextant.confluence.normalise import Per, ramp, ratio, sq
from sextant.model.bar import Floats

_SAMPLES: Final = Need(Column("book_samples"), 45, "FEW_SAMPLES")
_STREAMS: Final = ("book",)


def _as_is(x: Floats) -> Floats:
    return x


def _liquidity(shift: Floats, impact: Floats) -> Floats:
    return sq((0.7 * shift + 0.3 * impact) / 0.25)


def _both(bid: Floats, ask: Floats, turnover: Floats) -> Floats:
    return ratio(bid + ask, turnover)


def _withdrawn(bid: Floats, ask: Floats, rank: Floats) -> Floats:
    """Negative where bids were pulled, in full where much was pulled for this instrument."""
    out: Floats = ratio(ask - bid, ask + bid) * ramp(rank, 0.0, 0.8)
    return np.where(np.isnan(rank), np.nan, out)


_BID: Final = Column("bid_usd_25")
_SHIFT: Final = read("depth_shift")
_PULLED: Final = (Column("withdrawn_bid_usd"), Column("withdrawn_ask_usd"))
_PULLED_SHARE: Final = mapped(_both, *_PULLED, Column("quote_volume"))
_FLOW: Final = Column("ofi_5")


def _references(of: Node) -> tuple[Need, ...]:
    return (_SAMPLES, Need(Rolled("filled", of), DAY[2], "SHORT_HISTORY"))


DIMENSION = Dimension(
    name="orderbook",
    weight=0.20,
    sub_scores=(
        SubScore(
            name="depth",
            weight=0.19,
            family="book",
            signal=mapped(Per(0.25), Rolled("ema", Column("depth_imbalance"), 3)),
            rows=21,
            streams=_STREAMS,
            needs=(_SAMPLES,),
        ),
        SubScore(
            name="imbalance",
            weight=0.19,
            family="book",
            signal=mapped(Per(0.20), Rolled("mean", Column("top_imbalance"), 20)),
            rows=20,
            streams=_STREAMS,
            needs=(_SAMPLES,),
        ),
        SubScore(
            name="touch_imbalance",
            weight=0.16,
            family="book",
            signal=mapped(Per(0.35), Column("touch_imbalance")),
            rows=1,
            streams=_STREAMS,
            needs=(_SAMPLES,),
        ),
        SubScore(
            name="liquidity",
            weight=0.13,
            family="book",
            signal=mapped(_liquidity, _SHIFT, Column("impact_asymmetry")),
            rows=1,
            streams=_STREAMS,
            needs=_references(_BID),
        ),
        SubScore(
            name="book_flow",
            weight=0.12,
            family="book",
            signal=mapped(Per(2.0), Rolled("scale", _FLOW, floor=0.05)),
            rows=1,
            streams=_STREAMS,
            needs=_references(_FLOW),
        ),
        SubScore(
            name="withdrawal",
            weight=0.08,
            family="book",
            signal=mapped(_withdrawn, *_PULLED, Rolled("rank", _PULLED_SHARE)),
            rows=1,
            streams=_STREAMS,
            needs=_references(_PULLED_SHARE),
        ),
        SubScore(
            name="absorption",
            weight=0.08,
            family="book",
            signal=mapped(_as_is, read("absorption")),
            rows=6,
            streams=("book", "trades"),
            needs=(_SAMPLES,),
        ),
        SubScore(
            name="band_imbalance",
            weight=0.05,
            family="book",
            signal=mapped(Per(0.25), Column("band_imbalance_50")),
            rows=1,
            streams=_STREAMS,
            needs=(_SAMPLES,),
        ),
    ),
    known_gaps=("A book of 10 levels a side or fewer inside the band tells nothing of the rest of it.",),
)
