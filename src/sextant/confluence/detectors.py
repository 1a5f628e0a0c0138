"""Facts of the market, not votes: pure rules over columns and events, opened, told and closed once per cause.

``X(usd, p)`` is the larger of an amount and a share of the trailing turnover of 24 hours. No fact touches a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from sextant.confluence.absence import last_of
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import BAR, Column, Frame, Rolled, mapped, read
from sextant.confluence.normalise import bar_direction
from sextant.confluence.scorer import Evaluation
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument

FactKind = Literal[
    "level_near",
    "structure_break",
    "liquidation_zone",
    "liquidation_large",
    "cascade",
    "market_cascade",
    "whale_trade",
    "whale_book",
    "spoof_suspected",
    "wash_suspected",
    "volume_spike",
    "leverage_build",
]

COOLDOWN_S: Final[Mapping[FactKind, float]] = {
    "level_near": 900,
    "structure_break": 0,
    "liquidation_zone": 1800,
    "liquidation_large": 300,
    "cascade": 600,
    "market_cascade": 900,
    "whale_trade": 600,
    "whale_book": 1800,
    "spoof_suspected": 600,
    "wash_suspected": 600,
    "volume_spike": 900,
    "leverage_build": 3600,
}
"""How long after it was told a fact of the same cause is told again at the earliest."""

NEAR_ATR: Final = 0.5
AWAY_ATR: Final = 1.0
LEVEL_STRENGTH: Final = 0.5
SPIKES: Final = ((4.0, "extreme"), (3.0, "strong"), (2.0, "notable"))
SPIKE_OVER: Final = 1.5
CONFIRMING_VOLUME: Final = 1.5
BUILDS: Final = ((0.18, 0.0015, "extreme"), (0.12, 0.0010, "strong"), (0.08, 0.0005, "notable"))
STILL_PRICE: Final = 0.02
BUILD_OVER: Final = 0.8
WHALES: Final = ((10e6, "mega"), (1e6, "large"))
WALL_LEVELS: Final = 4
WALL_SDS: Final = 2.0
WALL_USD: Final = 0.5e6
WALL_SHARE: Final = 0.025
WALL_IMBALANCE: Final = 0.3
WALL_SAMPLES: Final = 30
SPOOF_TIMES: Final = 5.0
SPOOF_BPS: Final = (10.0, 100.0)
SPOOF_LIFE_NS: Final = 30_000_000_000
SPOOF_TRADED: Final = 0.10
SPOOF_LEVELS: Final = 3
SPOOF_WINDOW_NS: Final = 600_000_000_000
LAYERS: Final = (3, 10)
LAYER_SPREAD: Final = 0.14
WASH_NS: Final = 1_000_000_000
WASH_PRICE: Final = 1e-4
WASH_SIZE: Final = 1e-3
WASH_PAIRS: Final = 3
WASH_SHARE: Final = 0.01


_CLOSE: Final = Column("close")
_CLOSE_4H: Final = Rolled("lag", _CLOSE, 48)
_VOLUME: Final = read("relative_volume")
_DIRECTION: Final = mapped(bar_direction, *BAR)
_F8: Final = read("funding", "f8")
BREAK: Final = read("structure_breaks", "event")
GROWTH: Final = Rolled("hold", read("open_interest_change", steps=48))
"""Of four hours."""


@dataclass(frozen=True)
class Seen:
    """What a rule read at one time.

    Parameters
    ----------
    kind, instrument, cause
        A fact is one per these three; None stands for the whole market, ``cause`` tells two levels or two sides apart.
    value
        Its size, for the peak.
    opens, closes
        Whether the rule holds, and whether it is over; between the two an open fact stays open.
    direction
        1, -1, or 0 where it has none.
    word
        How strong it is.
    facts
        The numbers behind it.
    """

    kind: FactKind
    instrument: Instrument | None
    cause: str
    value: float
    opens: bool
    closes: bool
    direction: int = 0
    word: str = ""
    facts: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it one fact: kind, of what, cause."""
        return self.kind, _subject(self.instrument), self.cause


@dataclass(frozen=True)
class Fact:
    """Something that is, or was, the case.

    Parameters
    ----------
    since_ns, until_ns
        When it opened and closed; None while it is open.
    count
        Evaluations in which it held.
    peak
        The largest value so far.
    seen
        What was read last.
    """

    seen: Seen
    since_ns: int
    until_ns: int | None
    count: int
    peak: float


class FactBook:
    """Open facts, and when each cause was last told.

    Parameters
    ----------
    most
        How many causes are remembered; the oldest are forgotten first.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._open: dict[tuple[str, str, str], Fact] = {}
        self._told_ns: dict[tuple[str, str, str], int] = {}

    def update(self, read_now: Iterable[Seen], now_ns: int) -> tuple[Fact, ...]:
        """The facts that opened now and are worth telling; a cause that was told lately is opened in silence.

        A cause of which nothing was read is over.
        """
        told = []
        known = {seen.key: seen for seen in read_now}
        for key in self._open.keys() - known.keys():
            del self._open[key]
        for key, seen in known.items():
            before = self._open.get(key)
            if before is not None and seen.closes:
                del self._open[key]
            elif before is not None:
                self._open[key] = replace(
                    before, seen=seen, count=before.count + 1, peak=max(before.peak, seen.value)
                )
            elif seen.opens:
                fact = Fact(seen, now_ns, None, 1, seen.value)
                self._open[key] = fact
                if self._is_due(key, seen.kind, now_ns):
                    self._remember(key, now_ns)
                    told.append(fact)
        return tuple(told)

    def of(self, instrument: Instrument | None) -> tuple[Fact, ...]:
        """The open facts of an instrument, or of the whole market, by kind and cause."""
        name = _subject(instrument)
        return tuple(fact for key, fact in sorted(self._open.items()) if key[1] == name)

    def all(self) -> tuple[Fact, ...]:
        """Every open fact."""
        return tuple(self._open.values())

    def _is_due(self, key: tuple[str, str, str], kind: FactKind, now_ns: int) -> bool:
        told_ns = self._told_ns.get(key)
        return told_ns is None or now_ns - told_ns >= COOLDOWN_S[kind] * 1e9

    def _remember(self, key: tuple[str, str, str], now_ns: int) -> None:
        self._told_ns.pop(key, None)
        self._told_ns[key] = now_ns
        while len(self._told_ns) > self._most:
            del self._told_ns[next(iter(self._told_ns))]


def _subject(instrument: Instrument | None) -> str:
    return "market" if instrument is None else str(instrument)


def at_least(usd: float, frac: float, turnover: float) -> float:
    """X(usd, p): the larger of an amount and a share of the turnover of 24 hours; the amount where that is unknown."""
    return max(usd, frac * turnover) if np.isfinite(turnover) else usd


def readings(found: Evaluation, column: int) -> list[Seen]:
    """What the rules that read columns say of one instrument."""
    return [
        *levels_near(found, column),
        *structure_breaks(found, column),
        *volume_spike(found, column),
        *leverage_build(found, column),
    ]


def levels_near(found: Evaluation, column: int) -> list[Seen]:
    """A 5m close within half an average range of a strong level; over a whole range away, or when it is broken."""
    nodes = LEVELS["5m"]
    price, atr = (last_of(found, "5m", node, column) for node in (_CLOSE, nodes["atr"]))
    told = []
    for side, sign in (("support", 1), ("resistance", -1)):
        level = last_of(found, "5m", nodes[side], column)
        strength = last_of(found, "5m", nodes[f"{side}_strength"], column)
        if price is None or not atr or level is None or strength is None or not np.isfinite(level):
            continue
        gap = sign * (price - level) / atr
        told.append(
            Seen(
                kind="level_near",
                instrument=found.instruments[column].instrument,
                cause=f"{side} {level:.6g}",
                value=strength,
                opens=strength >= LEVEL_STRENGTH and 0 <= gap <= NEAR_ATR,
                closes=gap > AWAY_ATR or gap < 0,
                direction=sign,
                word=side,
                facts=(("level", level), ("distance_atr", gap)),
            )
        )
    return told


def structure_breaks(found: Evaluation, column: int) -> list[Seen]:
    """A break of the last turn on 5m, 30m or 4h, confirmed where much was traded; told once and over at once."""
    told = []
    frames: tuple[Frame, ...] = ("5m", "30m", "4h")
    for frame in frames:
        event = last_of(found, frame, BREAK, column)
        volume = last_of(found, frame, _VOLUME, column)
        if event is None:
            continue
        against = abs(event) > 1
        word = f"{'CHoCH' if against else 'BOS'}{' confirmed' if (volume or 0) >= CONFIRMING_VOLUME else ''}"
        told.append(
            Seen(
                kind="structure_break",
                instrument=found.instruments[column].instrument,
                cause=f"{frame} {found.closes_ns.get(frame, 0)}",
                value=abs(event),
                opens=event != 0,
                closes=event == 0,
                direction=int(np.sign(event)),
                word=word,
            )
        )
    return told


def volume_spike(found: Evaluation, column: int) -> list[Seen]:
    """A 5m bar of twice the usual volume and more."""
    times = last_of(found, "5m", _VOLUME, column)
    direction = last_of(found, "5m", _DIRECTION, column)
    if times is None:
        return []
    return [
        Seen(
            kind="volume_spike",
            instrument=found.instruments[column].instrument,
            cause="5m",
            value=times,
            opens=times >= SPIKES[-1][0],
            closes=times < SPIKE_OVER,
            direction=0 if direction is None else int(np.sign(direction)),
            word=next((word for least, word in SPIKES if times >= least), ""),
        )
    ]


def leverage_build(found: Evaluation, column: int) -> list[Seen]:
    """Open interest that grew in four hours while the price stood, or funding far from its middle."""
    grown = last_of(found, "grid", GROWTH, column)
    now, before = (last_of(found, "5m", node, column) for node in (_CLOSE, _CLOSE_4H))
    f8 = last_of(found, "1m", _F8, column)
    still = now is not None and bool(before) and abs(now / (before or 1.0) - 1.0) < STILL_PRICE
    by_interest = grown if grown is not None and still else 0.0
    by_funding = abs(f8) if f8 is not None else 0.0
    if grown is None and f8 is None:
        return []
    share = max(by_interest / BUILDS[-1][0], by_funding / BUILDS[-1][1])
    word = next(
        (word for oi, rate, word in BUILDS if by_interest >= oi or by_funding >= rate),
        "",
    )
    return [
        Seen(
            kind="leverage_build",
            instrument=found.instruments[column].instrument,
            cause="4h",
            value=share,
            opens=share >= 1.0,
            closes=share < BUILD_OVER,
            word=word,
            facts=(("open_interest_change_4h", by_interest), ("abs_f8", by_funding)),
        )
    ]


# -- events ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Print:
    """A trade or a forced close: its time, notional in USD, and side, 1 bought or a short closed, -1 the other."""

    event_ns: int
    usd: float
    side: int
    price: float = 0.0
    size: float = 0.0


def whale_trades(instrument: Instrument, prints: Sequence[Print], turnover: float) -> list[Seen]:
    """The largest trade of each side, where it is large for the instrument."""
    limit = at_least(750e3, 0.0002, turnover)
    return [
        single("whale_trade", instrument, largest, limit)
        for side in (1, -1)
        if (largest := max((one for one in prints if one.side == side), key=lambda x: x.usd, default=None))
    ]


def single(kind: FactKind, instrument: Instrument, one: Print, limit: float) -> Seen:
    """One large trade or forced close; over at once."""
    return Seen(
        kind=kind,
        instrument=instrument,
        cause="buy" if one.side > 0 else "sell",
        value=one.usd,
        opens=one.usd > limit,
        closes=one.usd <= limit,
        direction=one.side,
        word=next((word for least, word in WHALES if one.usd >= least), ""),
        facts=(("usd", one.usd), ("limit_usd", limit)),
    )


def wash_pairs(prints: Sequence[Print]) -> int:
    """How many pairs of opposite trades of one size at one price follow one another within a second."""
    return len(matched(prints))


def matched(prints: Sequence[Print]) -> list[float]:
    """What each of those pairs traded, USD of both together."""
    open_: list[Print] = []
    pairs = []
    for one in sorted(prints, key=lambda x: x.event_ns):
        open_ = [other for other in open_ if one.event_ns - other.event_ns <= WASH_NS]
        match = next((other for other in open_ if _matches(one, other)), None)
        if match is None:
            open_.append(one)
        else:
            open_.remove(match)
            pairs.append(one.usd + match.usd)
    return pairs


def wash_suspected(instrument: Instrument, prints: Sequence[Print], turnover_5m: float) -> list[Seen]:
    """Three such pairs and more within five minutes that are more than a hundredth of what was traded in them.

    ``prints`` are those of the last five minutes that may match, ``turnover_5m`` what was traded in them, USD.
    """
    pairs = matched(prints)
    usd = sum(pairs)
    if not pairs:
        return []
    return [
        Seen(
            kind="wash_suspected",
            instrument=instrument,
            cause="trades",
            value=usd,
            opens=len(pairs) >= WASH_PAIRS and usd > WASH_SHARE * turnover_5m,
            closes=False,  # over once the last pair is five minutes old and none is read any more
            facts=(("pairs", float(len(pairs))), ("usd", usd)),
        )
    ]


def _matches(one: Print, other: Print) -> bool:
    return (
        one.side == -other.side != 0
        and abs(one.price / other.price - 1.0) <= WASH_PRICE
        and abs(one.size / other.size - 1.0) <= WASH_SIZE
    )


@dataclass(frozen=True)
class Depth:
    """One sample of a book: price and size of each level, best first, (L,) a side, and the turnover of 24 hours."""

    bid_price: Floats
    bid_size: Floats
    ask_price: Floats
    ask_size: Floats
    turnover: float


def wall_usd(depth: Depth, side: int) -> float:
    """What the large levels of a side hold beyond those of the other, quote units; 0 where the side is no wall.

    Notes
    -----
    Four levels and more of at least the mean and two deviations of their side; more than half a million, a fortieth of the turnover on
    the side as a whole, and sides that differ by more than .3.
    """
    sides = {1: depth.bid_price * depth.bid_size, -1: depth.ask_price * depth.ask_size}
    large = {}
    for at, usd in sides.items():
        chosen = usd >= usd.mean() + WALL_SDS * usd.std()
        large[at] = (int(chosen.sum()), float(usd[chosen].sum()))
    total, other = float(sides[side].sum()), float(sides[-side].sum())
    net = large[side][1] - large[-side][1]
    holds = (
        large[side][0] >= WALL_LEVELS
        and net > WALL_USD
        and total > WALL_SHARE * depth.turnover
        and total - other > WALL_IMBALANCE * (total + other)
    )
    return net if holds else 0.0


def whale_book(
    instrument: Instrument, samples: Sequence[Depth], against_usd: Mapping[int, float]
) -> list[Seen]:
    """A wall that stood on thirty samples; over when it was on none of them.

    ``samples`` are the newest, one a second, oldest first; ``against_usd`` is what was traded against each side in the last
    thirty minutes: half the wall and more makes it a suspected wall.
    """
    recent = samples[-WALL_SAMPLES:]
    walls = {side: [wall_usd(depth, side) for depth in recent] for side in (1, -1)}
    return walls_seen(instrument, walls, against_usd)


def walls_seen(
    instrument: Instrument, walls: Mapping[int, Sequence[float]], against_usd: Mapping[int, float]
) -> list[Seen]:
    """As :func:`whale_book`, from what :func:`wall_usd` said of each side of the newest samples."""
    told = []
    for side, seen in walls.items():
        usd = seen[-1] if seen else 0.0
        told.append(
            Seen(
                kind="whale_book",
                instrument=instrument,
                cause="bids" if side > 0 else "asks",
                value=usd,
                opens=len(seen) >= WALL_SAMPLES and min(seen) > 0,
                closes=not any(seen),
                direction=side,
                word="suspected wall" if usd and against_usd.get(side, 0.0) >= usd / 2.0 else "",
                facts=(("usd", usd), ("traded_against_usd", against_usd.get(side, 0.0))),
            )
        )
    return told


@dataclass(frozen=True)
class Resting:
    """A level from when it was first seen until it was gone.

    ``side`` is 1 for a bid and -1 for an ask; ``usual`` the median size of its side and ``traded`` what was traded at its
    price meanwhile, base units; ``mid`` and ``mid_gone`` the middle when it came and when it went.
    """

    side: int
    price: float
    size: float
    usual: float
    traded: float
    since_ns: int
    gone_ns: int
    mid: float
    mid_gone: float

    @property
    def is_bait(self) -> bool:
        """Whether it was large, near, short-lived, hardly traded, and left while the middle moved away from it."""
        apart = abs(self.price / self.mid - 1.0) * 1e4
        return (
            self.size >= SPOOF_TIMES * self.usual
            and SPOOF_BPS[0] <= apart <= SPOOF_BPS[1]
            and self.gone_ns - self.since_ns < SPOOF_LIFE_NS
            and self.traded < SPOOF_TRADED * self.size
            and self.side * (self.mid_gone - self.mid) > 0
        )


def spoofs_suspected(instrument: Instrument, gone: Sequence[Resting], now_ns: int) -> list[Seen]:
    """Three baits and more of one side within ten minutes; layering where three to ten of about one size left within a second."""
    told = []
    for side in (1, -1):
        baits = sorted(
            (
                one
                for one in gone
                if one.side == side and one.is_bait and now_ns - one.gone_ns <= SPOOF_WINDOW_NS
            ),
            key=lambda one: one.gone_ns,
        )
        layers = max((_layers(baits, at) for at in range(len(baits))), default=0)
        told.append(
            Seen(
                kind="spoof_suspected",
                instrument=instrument,
                cause="bids" if side > 0 else "asks",
                value=float(len(baits)),
                opens=len(baits) >= SPOOF_LEVELS,
                closes=not baits,
                # A bid that is only shown makes the price rise for whoever sells: the move is against its side.
                direction=-side,
                word="layering" if LAYERS[0] <= layers <= LAYERS[1] else "",
                facts=(("usd", sum(one.price * one.size for one in baits)), ("layers", float(layers))),
            )
        )
    return told


def _layers(baits: Sequence[Resting], at: int) -> int:
    """How many left within a second of one, their sizes within 14 % of its."""
    first = baits[at]
    return sum(
        0 <= one.gone_ns - first.gone_ns <= WASH_NS and abs(one.size / first.size - 1.0) <= LAYER_SPREAD
        for one in baits[at:]
    )
