"""What was traded and where: sides, money flow, unusual volume, the profile of a day and the mean price."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.contract import ALL, Dimension, Need, SubScore
from sextant.confluence.nodes import BAR, HOURLY, Column, Reading, Rolled, mapped, read
from sextant.confluence.normalise import Per, bar_direction, sq
from sextant.model.bar import Floats

_YOUNG_DAY_ROWS: Final = 30


def _voted(direction: Floats, times: Floats) -> Floats:
    out: Floats = direction * np.minimum(times, 4.0)
    return out


def _profile(close: Floats, poc: Floats, low: Floats, high: Floats, width: Floats) -> Floats:
    half = np.maximum((high - low) / 2.0, width / 2.0)
    return sq((close - poc) / half / 1.5)


def _means(day: Floats, week: Floats, row: Floats) -> Floats:
    """Distance from the mean prices of day and week; of the week alone while the day is young."""
    longer = sq(week / 2.0)
    return np.where(row < _YOUNG_DAY_ROWS, longer, 0.6 * sq(day / 2.0) + 0.4 * longer)


_ADL: Final = read("volume_balance", "adl_ratio")
_OBV: Final = read("volume_balance", "obv_ratio")


def _hours(of: Reading) -> tuple[Need, ...]:
    return (Need(Rolled("filled", of, schedule=HOURLY), HOURLY[2], "SHORT_HISTORY"),)


DIMENSION = Dimension(
    name="volume",
    weight=0.18,
    sub_scores=(
        SubScore(
            name="volume_delta",
            weight=0.20,
            family="flow",
            signal=mapped(Per(0.15), read("volume_delta", "ratio")),
            rows=20,
            intervals=("1m", "5m", "30m"),
            streams=("trades",),
            needs=(Need(Rolled("recent", Column("trade_count"), 20), 100, "FEW_TRADES"),),
        ),
        SubScore(
            name="adl",
            weight=0.15,
            family="flow",
            signal=mapped(Per(2.0), Rolled("centred", _ADL, floor=0.01, schedule=HOURLY)),
            rows=1441,
            needs=_hours(_ADL),
            tolerates=True,
        ),
        SubScore(
            name="cmf",
            weight=0.15,
            family="flow",
            signal=mapped(Per(0.20), read("chaikin_money_flow")),
            rows=20,
            intervals=ALL,
        ),
        SubScore(
            name="obv",
            weight=0.15,
            family="flow",
            signal=mapped(Per(2.0), Rolled("centred", _OBV, floor=0.02, schedule=HOURLY)),
            rows=1441,
            needs=_hours(_OBV),
            tolerates=True,
        ),
        SubScore(
            name="relative_volume",
            weight=0.15,
            family="flow",
            signal=mapped(
                Per(0.6),
                Rolled("mean", mapped(_voted, mapped(bar_direction, *BAR), read("relative_volume")), 3),
            ),
            rows=212,
            intervals=ALL,
            optional=("taker_buy_volume",),
        ),
        SubScore(
            name="volume_profile",
            weight=0.10,
            family="trend",
            signal=mapped(
                _profile,
                Column("close"),
                read("volume_profile", "poc"),
                read("volume_profile", "val"),
                read("volume_profile", "vah"),
                read("volume_profile", "width"),
            ),
            rows=1440,
            tolerates=True,
        ),
        SubScore(
            name="vwap",
            weight=0.10,
            family="trend",
            signal=mapped(
                _means,
                read("vwap", "distance", anchor="day"),
                read("vwap", "distance", anchor="week"),
                Column("day_row"),
            ),
            rows=1,
            tolerates=True,
        ),
    ),
    known_gaps=(
        "The week of vwap is told from the part of it that the kept bars cover.",
        "Trades are counted per minute; on 5m and 30m their number is not checked.",
    ),
)
