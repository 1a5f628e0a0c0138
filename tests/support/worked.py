"""The worked example of the specification of confluence, as numbers."""

from __future__ import annotations

import numpy as np

from sextant.confluence.catalog import dimensions, voices
from sextant.confluence.regime import multipliers
from sextant.confluence.score import Folded, fold
from sextant.model.bar import Floats

ABSENT = None
SIGNALS: dict[str, float | None] = {
    "orderflow.cvd": 0.62,
    "orderflow.trade_flow": 0.55,
    "orderflow.open_interest": 0.48,
    "orderflow.large_trade_flow": 0.71,
    "orderflow.imbalance": 0.40,
    "orderflow.liquidity": 0.22,
    "orderflow.pressure": 0.66,
    "orderbook.depth": 0.35,
    "orderbook.imbalance": 0.41,
    "orderbook.touch_imbalance": 0.58,
    "orderbook.liquidity": 0.30,
    "orderbook.book_flow": 0.64,
    "orderbook.withdrawal": -0.15,
    "orderbook.absorption": 0.10,
    "orderbook.band_imbalance": 0.25,
    "volume.volume_delta": 0.51,
    "volume.adl": ABSENT,
    "volume.cmf": 0.44,
    "volume.obv": ABSENT,
    "volume.relative_volume": 0.66,
    "volume.volume_profile": 0.53,
    "volume.vwap": 0.61,
    "price_structure.institutional_zones": 0.30,
    "price_structure.support_resistance": -0.20,
    "price_structure.trend_position": 0.69,
    "price_structure.volume_profile": 0.45,
    "price_structure.structure_breaks": 0.75,
    "price_structure.range_analysis": -0.35,
    "price_structure.price_gaps": 0.40,
    "technical.ao": 0.60,
    "technical.rsi": 0.58,
    "technical.atr": 0.52,
    "technical.cci": 0.55,
    "technical.adx": 0.49,
    "technical.williams_r": 0.18,
    "sentiment.funding_rate": -0.45,
    "sentiment.liquidations": 0.30,
    "sentiment.volatility": 0.25,
    "sentiment.long_short_ratio": ABSENT,
    "sentiment.market_activity": 0.50,
    "sentiment.risk": 0.35,
}
TREND_TAU = 0.7
BOOK_QUALITY = 0.9
TRADES = (
    "orderflow.cvd",
    "orderflow.trade_flow",
    "orderflow.large_trade_flow",
    "orderflow.imbalance",
    "orderflow.liquidity",
    "orderflow.pressure",
    "volume.volume_delta",
)


def quality() -> dict[str, float]:
    return {
        name: 0.0 if s is None else BOOK_QUALITY if name.startswith("orderbook") else 1.0
        for name, s in SIGNALS.items()
    }


def signals() -> dict[str, float]:
    return {name: np.nan if s is None else s for name, s in SIGNALS.items()}


def arrays(values: dict[str, float]) -> list[Floats]:
    """One array (1, 1) per sub-score in the order of the room."""
    return [np.array([[values[voice.name]]]) for voice in voices()]


def folded(s: dict[str, float], q: dict[str, float], tau: float = TREND_TAU) -> Folded:
    zero = np.zeros((1, 1))
    return fold(dimensions(), arrays(s), arrays(q), multipliers(np.full((1, 1), tau), zero, zero))
