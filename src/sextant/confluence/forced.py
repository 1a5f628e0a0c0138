"""Facts of forced closes: single large ones, cascades, and the prices at which many were closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sextant.confluence.detectors import Print, Seen, at_least, single
from sextant.model.instrument import Instrument

ZONE_WIDTH: Final = 0.02
CASCADE_LEVELS: Final = ((190.0, "extreme"), (50.0, "strong"), (10.0, "notable"))
CASCADE_MINUTES: Final = 5.0
CASCADE_COUNT: Final = 10
CASCADE_SHARE: Final = 0.8
CASCADE_OVER: Final = 0.25
MARKET_USD: Final = 2e6
MARKET_INSTRUMENTS: Final = 3


def large_liquidations(instrument: Instrument, prints: Sequence[Print], turnover: float) -> list[Seen]:
    """The largest forced close of each side, where it is large for the instrument."""
    limit = at_least(250e3, 0.0001, turnover)
    return [
        single("liquidation_large", instrument, largest, limit)
        for side in (1, -1)
        if (largest := max((one for one in prints if one.side == side), key=lambda x: x.usd, default=None))
    ]


@dataclass(frozen=True)
class Burst:
    """Forced closes of five minutes, what is usual, and how the price moved meanwhile.

    Parameters
    ----------
    usual_usd
        Lower median of such sums.
    moved, atr
        Change of the price in those five minutes and the average range of 5m bars, quote units.
    peak_usd
        The largest sum since the cascade began; 0 before.
    """

    prints: tuple[Print, ...]
    usual_usd: float
    moved: float
    atr: float
    peak_usd: float = 0.0


def cascade(instrument: Instrument, burst: Burst) -> list[Seen]:
    """Many forced closes of one side that take the price with them; over below a quarter of the peak."""
    sums = {side: sum(one.usd for one in burst.prints if one.side == side) for side in (1, -1)}
    side = 1 if sums[1] >= sums[-1] else -1
    total, count = sums[1] + sums[-1], sum(one.side == side for one in burst.prints)
    holds = (
        sums[side] > max(1e6, 20.0 * burst.usual_usd)
        and count >= CASCADE_COUNT
        and sums[side] >= CASCADE_SHARE * total
        and side * burst.moved >= 1.5 * burst.atr > 0
    )
    rate = count / CASCADE_MINUTES
    return [
        Seen(
            kind="cascade",
            instrument=instrument,
            cause=_closed(side),
            value=sums[side],
            opens=holds,
            closes=sums[side] < CASCADE_OVER * burst.peak_usd,
            direction=side,
            word=_level(rate),
            facts=(("usd", sums[side]), ("events_per_minute", rate)),
        )
    ]


@dataclass(frozen=True)
class Wave:
    """What was closed by force on one side in five minutes, over all instruments that are held against dollars.

    Parameters
    ----------
    side
        The side it was traded on: 1 where shorts were closed, -1 where longs were.
    usd, count, instruments
        Sum, number of closes, and of how many instruments.
    """

    side: int
    usd: float
    count: int
    instruments: int


def market_cascade(waves: Sequence[Wave], peak_usd: Mapping[int, float]) -> list[Seen]:
    """Forced closes of one side in several instruments at once; over below a quarter of the peak of its side.

    Notes
    -----
    Number and one side are asked for as of a single instrument; a price to move with it there is none.
    """
    total = sum(wave.usd for wave in waves)
    told = []
    for wave in waves:
        peak = peak_usd.get(wave.side, 0.0)
        holds = (
            wave.usd > MARKET_USD
            and wave.instruments >= MARKET_INSTRUMENTS
            and wave.count >= CASCADE_COUNT
            and wave.usd >= CASCADE_SHARE * total
        )
        if holds or peak:
            rate = wave.count / CASCADE_MINUTES
            told.append(
                Seen(
                    kind="market_cascade",
                    instrument=None,
                    cause=_closed(wave.side),
                    value=wave.usd,
                    opens=holds,
                    closes=wave.usd < CASCADE_OVER * peak,
                    direction=wave.side,
                    word=_level(rate),
                    facts=(
                        ("usd", wave.usd),
                        ("events_per_minute", rate),
                        ("instruments", float(wave.instruments)),
                    ),
                )
            )
    return told


def _level(rate: float) -> str:
    """How strong a cascade is by its closes a minute; nothing below the lowest level."""
    return next((word for least, word in CASCADE_LEVELS if rate >= least), "")


@dataclass(frozen=True)
class Zone:
    """Prices at which positions were closed by force: weighted price, sum in USD and side of the positions."""

    price: float
    usd: float
    side: int


def liquidation_zones(prints: Sequence[Print], turnover: float) -> tuple[Zone, ...]:
    """Forced closes of 24 hours joined within 2 % of their weighted price, those that are large, largest first."""
    limit = at_least(500e3, 0.0005, turnover)
    return tuple(zone for zone in joined(prints) if zone.usd > limit)


def joined(prints: Sequence[Print]) -> tuple[Zone, ...]:
    """All of them, however small, largest first."""
    found: list[Zone] = []
    for side in (1, -1):
        zones: list[Zone] = []
        for one in sorted((one for one in prints if one.side == side), key=lambda x: (x.price, x.event_ns)):
            last = zones[-1] if zones else None
            if last is not None and one.price <= last.price * (1.0 + ZONE_WIDTH):
                usd = last.usd + one.usd
                zones[-1] = Zone((last.price * last.usd + one.price * one.usd) / usd, usd, side)
            else:
                zones.append(Zone(one.price, one.usd, side))
        found += zones
    return tuple(sorted(found, key=lambda zone: (-zone.usd, zone.price)))


def zones_seen(instrument: Instrument, prints: Sequence[Print], turnover: float) -> list[Seen]:
    """Each zone as a fact; a zone that opened is over once nothing was closed there for 24 hours.

    Notes
    -----
    A zone is named by the step of 2 % its price lies on, so that one more forced close does not make it another one.
    """
    limit = at_least(500e3, 0.0005, turnover)
    told = {}
    for zone in joined(prints):
        cause = f"{_closed(zone.side)} near {_step(zone.price):.4g}"
        if cause not in told:  # of two on one step the larger
            told[cause] = Seen(
                kind="liquidation_zone",
                instrument=instrument,
                cause=cause,
                value=zone.usd,
                opens=zone.usd > limit,
                closes=False,
                direction=zone.side,
                facts=(("price", zone.price), ("usd", zone.usd), ("limit_usd", limit)),
            )
    return list(told.values())


def _closed(side: int) -> str:
    return "shorts" if side > 0 else "longs"


def _step(price: float) -> float:
    """The power of 1.02 at or below a price above 0, by repeated multiplication."""
    step = 1.0
    while step > price:
        step /= 1.0 + ZONE_WIDTH
    while step * (1.0 + ZONE_WIDTH) <= price:
        step *= 1.0 + ZONE_WIDTH
    return step
