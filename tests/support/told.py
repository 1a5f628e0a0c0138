"""Seeded streams of model events of every kind, as a feed would tell them: with gaps, repetitions and lost connections."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from sextant.model.bar import BAR_FIELDS, Bar, BarBlock
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Liquidation,
    Listed,
    OpenInterestPoint,
    OptionUpdate,
    QuoteUpdate,
    StreamAlive,
    StreamDown,
    Trade,
)
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import DAY_NS, INTERVAL_NS, MINUTE_NS, SECOND_NS, Interval

START_NS = 20_000 * DAY_NS
BASES = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")


def perpetual(base: str) -> Instrument:
    return Instrument("bybit", base, "USDT", "perpetual")


def call(base: str, number: int) -> Instrument:
    strike = Decimal(100 + number)
    return Instrument("deribit", base, "USD", "option", START_NS + 30 * DAY_NS, strike, "call")


def _spec(instrument: Instrument, now_ns: int) -> InstrumentSpec:
    funding = 28_800 if instrument.kind == "perpetual" else None
    tick = Decimal("0.5") if funding else Decimal("0.0001")
    return InstrumentSpec(
        instrument, tick, Decimal("0.001"), None, Decimal(1), "trading", funding, None, now_ns
    )


class Told:
    """What one feed tells of its instruments; endless.

    Parameters
    ----------
    seed
        Of every choice.
    bases
        Base assets of its perpetuals and options.
    """

    def __init__(self, seed: int, bases: tuple[str, ...] = BASES) -> None:
        self.dice = random.Random(seed)  # noqa: S311  # seeded test data
        self.bases = bases
        self.names = [perpetual(base) for base in bases]
        self.options = [call(base, number) for base in bases for number in range(3)]
        self.now_ns = START_NS
        self.sequence = dict.fromkeys(self.names, 1)
        self.trades = 0

    def first(self) -> list[Event]:
        """Listings, histories and books."""
        events: list[Event] = [
            Listed(_spec(name, self.now_ns), self.now_ns, self.now_ns)
            for name in [*self.names, *self.options]
        ]
        for name in self.names:
            events += [
                self._block(name, "1m", 40),
                self._block(name, "1h", 30),
                self._block(name, "1d", 5),
            ]
            events += [self._snapshot(name), FundingSettled(name, self.now_ns - DAY_NS, self.now_ns, 1e-4)]
        return events

    def more(self, count: int) -> Iterator[Event]:
        """The next ``count`` events; a second passes every few of them."""
        for _ in range(count):
            if self.dice.random() < 0.05:
                self.now_ns += self.dice.choice((1, 5, 20)) * SECOND_NS
            self.now_ns += self.dice.randint(0, 10_000)
            yield self._event(self.dice.choice(self.names))

    def _event(self, name: Instrument) -> Event:
        dice, now = self.dice, self.now_ns
        made = (
            (0.40, self._delta),
            (0.25, self._trade),
            (0.07, self._bar),
            (0.05, self._option),
            (0.07, lambda n: QuoteUpdate(n, now, now, bid=self._price(), ask=dice.choice((None, 150.0)))),
            (0.05, lambda n: DerivativesUpdate(n, now, now, mark=self._price(), open_interest=dice.random())),
            (0.02, lambda n: Liquidation(n, now, now + 5, dice.choice(("long", "short")), 100.0, 1.0)),
            (0.02, lambda n: OpenInterestPoint(n, now, now, dice.random())),
            (0.02, self._snapshot),
            (0.01, lambda n: BookCleared(n, now, now, "auction")),
            (0.01, lambda n: StreamDown((n, self.options[0]), ("book", "quote"), now, now, "closed")),
            (0.02, lambda n: StreamAlive((n, self.options[1]), ("book", "trades", "quote"), now, now)),
            (0.01, lambda n: Listed(_spec(n, now), now, now)),
        )
        (make,) = dice.choices([kind for _, kind in made], [weight for weight, _ in made])
        return make(name)

    def _price(self) -> float:
        return self.dice.randint(190, 210) / 2

    def _snapshot(self, name: Instrument) -> Event:
        self.sequence[name] += self.dice.randint(1, 50)
        bids = [(99.5 - level / 2, self.dice.random() + 0.1) for level in range(8)]
        asks = [(100.0 + level / 2, self.dice.random() + 0.1) for level in range(8)]
        return BookSnapshot(name, self.now_ns, self.now_ns, self.sequence[name], 10, bids, asks)

    def _delta(self, name: Instrument) -> Event:
        step = self.dice.choices((1, 0, 2), (0.96, 0.02, 0.02))[0]
        self.sequence[name] = number = self.sequence[name] + step
        bids = [(99.5 - self.dice.randint(0, 9) / 2, self.dice.choice((0.0, 1.5, 2.5)))]
        asks = [(100.0 + self.dice.randint(0, 9) / 2, self.dice.choice((0.0, 1.5, 2.5)))]
        return BookDelta(name, self.now_ns, self.now_ns + 7, number, number, None, bids, asks)

    def _trade(self, name: Instrument) -> Event:
        self.trades += self.dice.choices((1, 0), (0.97, 0.03))[0]
        late_ns = self.dice.choice((0, 0, 0, 3 * SECOND_NS))
        side = self.dice.choice((-1, 0, 1))
        identity = f"{name.base}-{self.trades}"
        return Trade(name, self.now_ns - late_ns, self.now_ns, identity, self._price(), 1.0, side)  # type: ignore[arg-type]  # one of the three

    def _bar(self, name: Instrument) -> Event:
        final = self.dice.random() < 0.7
        row = self.now_ns // MINUTE_NS - (self.dice.choice((1, 1, 1, 2, 9)) if final else 0)
        price = self._price()
        bar = Bar(row * MINUTE_NS, price, price + 1, price - 1, price, 5.0)
        return BarUpdate(name, self.now_ns, self.now_ns, "1m", bar, final)

    def _option(self, _: Instrument) -> Event:
        name = self.dice.choice(self.options)
        bid = self.dice.random() / 10
        return OptionUpdate(name, self.now_ns, self.now_ns, bid=bid, ask=bid + 0.01, delta=0.5, mark_iv=0.6)

    def _block(self, name: Instrument, interval: Interval, rows: int) -> Event:
        last = self.now_ns // INTERVAL_NS[interval] - 1
        open_ns = np.arange(last - rows + 1, last + 1) * INTERVAL_NS[interval]
        price = np.array([[self._price()] for _ in range(rows)])
        fields = dict(zip(BAR_FIELDS, (price, price + 1, price - 1, price, price, price, price), strict=True))
        return BarBlock(
            interval=interval,
            instruments=(name,),
            open_ns=open_ns,
            event_ns=self.now_ns,
            receive_ns=self.now_ns,
            **fields,
        )
