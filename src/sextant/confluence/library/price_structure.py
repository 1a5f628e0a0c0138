"""Where the price stands among its own turns: zones, levels, trend, profile of days, breaks, range and gaps."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.contract import ALL, Dimension, Need, SubScore
from sextant.confluence.nodes import Column, Rolled, mapped, read
from sextant.confluence.normalise import Per, lin, ratio, sq
from sextant.model.bar import Floats

_CLOSE: Final = Column("close")
_SETTLED: Final = 196


def as_is(x: Floats) -> Floats:
    """The value itself, which is a signal by construction."""
    return x


def _trend(close: Floats, short: Floats, long: Floats, atr: Floats) -> Floats:
    return 0.5 * sq(ratio(close - short, atr) / 2.0) + 0.5 * sq(ratio(short - long, atr) / 2.0)


def _range(position: Floats, sweep: Floats, efficiency: Floats) -> Floats:
    return lin(-0.6 * position * (1.0 - efficiency) + 0.4 * sweep)


def _moved(today: Floats, before: Floats, half: Floats) -> Floats:
    return sq(ratio(today - before, half) / 1.5)


def _days(before: Floats) -> Floats:
    """How many whole days before today there are, at most one."""
    return np.where(np.isnan(before), 0.0, 1.0)


def _share(today: Floats, before: Floats) -> Floats:
    """Volume of the day so far over that of the day before; 1 where that had none."""
    return np.where(before > 0, ratio(today, before), np.where(np.isnan(before), np.nan, 1.0))


_POC: Final = read("volume_profile", "poc_day")
_DAY_VOLUME: Final = Rolled("day_sum", Column("volume"))

DIMENSION = Dimension(
    name="price_structure",
    weight=0.15,
    sub_scores=(
        SubScore(
            name="institutional_zones",
            weight=0.20,
            family="reversion",
            signal=mapped(Per(0.20), read("order_zones", "pull")),
            rows=210,
            intervals=ALL,
        ),
        SubScore(
            name="support_resistance",
            weight=0.15,
            family="reversion",
            signal=mapped(Per(0.20), read("levels", "pull")),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="trend_position",
            weight=0.15,
            family="trend",
            signal=mapped(_trend, _CLOSE, read("sma"), read("sma", window=50), read("atr")),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="volume_profile",
            weight=0.15,
            family="trend",
            signal=mapped(
                _moved,
                _POC,
                Rolled("day_before", _POC),
                Rolled("day_before", read("volume_profile", "half_day")),
            ),
            rows=1440,
            needs=(
                Need(mapped(_days, Rolled("day_before", _POC)), 1, "SHORT_HISTORY", soft=False),
                Need(
                    mapped(_share, _DAY_VOLUME, Rolled("day_before", _DAY_VOLUME)),
                    0.25,
                    "SHORT_HISTORY",
                    start=0.0,
                ),
            ),
            tolerates=True,
        ),
        SubScore(
            name="structure_breaks",
            weight=0.15,
            family="trend",
            signal=mapped(as_is, read("structure_breaks", "bias")),
            rows=100,
            intervals=ALL,
        ),
        SubScore(
            name="range_analysis",
            weight=0.10,
            family="reversion",
            signal=mapped(
                _range,
                read("range_position", "position"),
                read("range_position", "sweep"),
                read("efficiency_ratio"),
            ),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="price_gaps",
            weight=0.10,
            family="reversion",
            signal=mapped(Per(0.60), read("price_gaps", "pull")),
            rows=_SETTLED,
            intervals=ALL,
        ),
    ),
    known_gaps=(
        "Structure depends on the whole past of a column: two columns that began apart need not agree.",
    ),
)
