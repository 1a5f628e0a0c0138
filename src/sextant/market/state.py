"""The state of the market: what is true now, learnt from model events and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from sextant.errors import InputError, NotFound
from sextant.market.applying import AT_TRADE, SEEN_CELLS, apply_messages
from sextant.market.bars import BarStore
from sextant.market.board import Board
from sextant.market.books import BookState
from sextant.market.chains import Chains, OptionRow
from sextant.market.counters import Counters
from sextant.market.desk import Desk
from sextant.market.freshness import STREAMS, Freshness
from sextant.market.minute_store import MinuteStore
from sextant.market.ring import HeldRows
from sextant.market.streams import Tally
from sextant.model.bar import BarBlock, Integers
from sextant.model.cells import Cells
from sextant.model.event_block import HEAD, KIND, TRADES, EventBlock
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
    Stream,
    StreamAlive,
    StreamDown,
    Trade,
    Unfollowed,
)
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import Interval
from sextant.model.view import BarFrame, Feed, LiquidationTape, Series, TradeTape, View

_HASH_BYTES: Final = 16
_IN_BLOCKS: Final = (BookDelta, QuoteUpdate, DerivativesUpdate, Trade)
MOST_ADDRESSED: Final = 16
"""Lists of instruments of blocks whose desks are remembered: those of a category of a venue, each of them."""
_NO_COLUMNS: Final[Integers] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Held:
    """What a state is made of; ``desks`` in the order of columns, ``option_desks`` in the order of names."""

    feed: Feed
    simulated: bool
    desks: tuple[Desk, ...]
    option_desks: Mapping[Instrument, Desk]
    chains: Chains
    bars: BarStore
    minutes: MinuteStore
    counters: Counters
    tally: Tally


@dataclass(frozen=True)
class Replacement:
    """Desks, rows of chains and bars of some instruments; the columns of the bars are those of ``desks`` in order."""

    desks: Mapping[Instrument, Desk]
    option_desks: dict[Instrument, Desk]
    option_rows: Sequence[OptionRow]
    bars: Mapping[Interval, HeldRows]
    minutes: Mapping[Instrument, Sequence[tuple[int, bytes]]] = field(default_factory=dict)


_NOTHING_INSTEAD: Final = Replacement({}, {}, (), {})


class MarketState:
    """Books, bars, quotes, trades and facts of all listed instruments, and chains of their options.

    Parameters
    ----------
    feed
        Where the events come from.
    simulated
        Whether any comes from a simulated venue.
    keep_rows
        Bars to keep by interval, where other than 1,440 of 1m and 1,000 of each other.

    Notes
    -----
    Equal events give an equal :meth:`state_hash` in every process. No clock is read: times come from
    events and arguments. Not safe between threads; the owner serialises the calls. Options are rows of chains and
    never columns; one whose book or trades are told has a desk besides.
    """

    def __init__(
        self, feed: Feed, *, simulated: bool, keep_rows: Mapping[Interval, int] | None = None
    ) -> None:
        self._feed: Feed = feed
        self._simulated = simulated
        self._counters = Counters()
        self._bars = BarStore(self._counters, keep_rows)
        self._minutes = MinuteStore()
        self._desks: dict[Instrument, Desk] = {}
        self._chains = Chains(self._counters)
        self._option_desks: dict[Instrument, Desk] = {}
        self._order: list[Desk] = []
        self._columns: dict[Instrument, int] = {}
        self._board: Board | None = Board(())
        self._resyncs: dict[Instrument, str] = {}
        self._tally = Tally()
        self._block_of: tuple[tuple[Instrument, ...], Integers, Integers] = ((), _NO_COLUMNS, _NO_COLUMNS)
        self._desk_takes: dict[type[Any], Callable[[Desk, Any], str | None]] = {
            BookDelta: Desk.take_delta,
            Trade: Desk.take_trade,
            DerivativesUpdate: Desk.take_facts,
            QuoteUpdate: Desk.take_quote,
            BookSnapshot: Desk.take_snapshot,
            BookCleared: Desk.take_cleared,
            FundingSettled: Desk.take_point,
            OpenInterestPoint: Desk.take_point,
            Liquidation: Desk.take_liquidation,
        }
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            BarUpdate: self._on_bar,
            BarBlock: self._on_block,
            OptionUpdate: self._on_option,
            Listed: self._on_listed,
            StreamDown: self._on_down,
            StreamAlive: self._on_alive,
            Unfollowed: self._on_unfollowed,
        }
        self._applied = Cells(SEEN_CELLS)
        self._addressed: list[tuple[tuple[Instrument, ...], Cells]] = []
        self._seen: dict[type[Any], int] = dict.fromkeys((*self._desk_takes, *self._handlers), 0)

    def apply(self, event: Event | EventBlock) -> None:
        """Learn from one event, or from a block as from its events one after another.

        Raises
        ------
        InputError
            If it is neither. Whatever is wrong inside one is counted, never raised.
        """
        kind = type(event)
        try:
            self._seen[kind] += 1
        except KeyError:
            if isinstance(event, EventBlock):
                self._apply_block(event)
                return
            raise InputError(f"{kind.__name__} is not a model event.") from None
        take = self._desk_takes.get(kind)
        if take is None:
            self._handlers[kind](event)
            return
        instrument: Instrument = event.instrument  # type: ignore[union-attr]  # these kinds have one
        desk = self._desks.get(instrument) or self._option_desk(instrument)
        if desk is None:
            self._counters.add("unknown_instruments")
            return
        reason = take(desk, event)
        if reason is not None:
            self._ask(desk, reason)

    def _apply_block(self, block: EventBlock) -> None:
        desks = self._addresses(block.instruments)
        heads, bodies, at = block.heads.at, block.bodies.at, block.first
        heads_of, applied = block.heads.ints, self._applied.ints
        while (at := apply_messages(desks.at, heads, bodies, at, block.last, self._applied.at)) < block.last:
            if heads_of[at * HEAD + KIND] == TRADES:
                # Those before it are applied already.
                self.apply(block.trade(at, applied[AT_TRADE]))
                applied[AT_TRADE] += 1
                continue
            for event in block.events(at):
                self.apply(event)
            at += 1
        for kind, count in zip(_IN_BLOCKS, applied, strict=False):
            self._seen[kind] += count
        self._applied.put_ints(0, [0] * SEEN_CELLS)

    def view(self, as_of_ns: int, intervals: Sequence[Interval] | None = None) -> View:
        """The market as of ``as_of_ns``, frozen; no history is copied.

        Parameters
        ----------
        as_of_ns
            Bars closed by then are shown; of everything else the latest, unknown where it arrived later.
        intervals
            Intervals of bars to show; all that hold any by default.
        """
        board = self._settle()
        board.refresh()
        funding: dict[Instrument, Series] = {}
        interest: dict[Instrument, Series] = {}
        shares: dict[Instrument, Series] = {}
        trades: dict[Instrument, TradeTape] = {}
        liquidations: dict[Instrument, LiquidationTape] = {}
        for column, desk in enumerate(self._order):
            self._drain(desk, column)
            instrument = desk.spec.instrument
            for into, series in (
                (funding, _known_by(desk.funding.series(), as_of_ns)),
                (interest, _known_by(desk.open_interest.series(), as_of_ns)),
                (shares, _known_by(desk.long_share.series(), as_of_ns)),
            ):
                if series is not None:
                    into[instrument] = series
            tape = _traded_by(desk.flow.tape(), as_of_ns)
            if tape is not None:
                trades[instrument] = tape
            forced = desk.liquidations.tape(as_of_ns)
            if forced is not None:
                liquidations[instrument] = forced
        return View(
            as_of_ns=as_of_ns,
            feed=self._feed,
            simulated=self._simulated,
            instruments=self.instruments,
            bars=self._bars.frames(as_of_ns, intervals),
            quotes=board.quotes(as_of_ns),
            books=board.books(as_of_ns),
            derivatives=board.derivatives(as_of_ns),
            funding_history=funding,
            open_interest_history=interest,
            trades=trades,
            chains=self._chains.views(as_of_ns),
            liquidations=liquidations,
            minutes=self._minutes.frame(as_of_ns),
            long_share_history=shares,
        )

    def state_hash(self) -> str:
        """Hex digest of all that is known, in canonical order: equal for equal events in every process."""
        self._settle()
        digest = hashlib.blake2b(digest_size=_HASH_BYTES)
        digest.update(msgspec.msgpack.encode((self._feed, self._simulated)))
        for ring in self._bars.rings.values():
            digest.update(msgspec.msgpack.encode(ring.content()))
        options = [self._option_desks[name] for name in sorted(self._option_desks)]
        for desk in (*self._order, *options):
            digest.update(msgspec.msgpack.encode(desk.content()))
        digest.update(msgspec.msgpack.encode(self._chains.content()))
        return digest.hexdigest()

    @property
    def instruments(self) -> tuple[InstrumentSpec, ...]:
        """The rules of all listed instruments, in the order of every column of a view."""
        self._settle()
        return tuple(desk.spec for desk in self._order)

    @property
    def counters(self) -> dict[str, int]:
        """How often what was met: events by type as ``events.<type>``, and :data:`sextant.market.counters.NAMES`."""
        seen = {f"events.{kind.__name__}": count for kind, count in self._seen.items()}
        return seen | self._counters.copy()

    def drain_resyncs(self) -> list[tuple[Instrument, str]]:
        """Books that came to need a snapshot since the last call and still do, with the reason, in order of instrument."""
        asked = sorted(self._resyncs.items())
        self._resyncs.clear()
        return [(name, reason) for name, reason in asked if self.desk(name).book.lacks(reason)]

    def book(self, instrument: Instrument, levels: int | None = None) -> BookState:
        """The order book of an instrument.

        Raises
        ------
        NotFound
            If the instrument was never listed.
        """
        return self.desk(instrument).book.now(levels)

    def bars(self, instrument: Instrument, interval: Interval, rows: int) -> BarFrame | None:
        """The newest ``rows`` final bars of an instrument, a copy of one column; None where the interval holds none.

        Raises
        ------
        NotFound
            If the instrument was never listed.
        """
        self.desk(instrument)
        self._settle()
        return self._bars.column(interval, self._columns[instrument], rows)

    def desk(self, instrument: Instrument) -> Desk:
        """What is known of one instrument; to be read, not changed.

        Raises
        ------
        NotFound
            If the instrument was never listed.
        """
        desk = self._desks.get(instrument) or self._option_desks.get(instrument)
        if desk is None:
            raise NotFound(f"{instrument} is not listed, or an option without a book.")
        return desk

    def held(self) -> Held:
        """What it is made of, for whoever copies a part of it; to be read, not changed."""
        self._settle()
        for column, desk in enumerate(self._order):
            self._drain(desk, column)
        options = {name: self._option_desks[name] for name in sorted(self._option_desks)}
        return Held(
            feed=self._feed,
            simulated=self._simulated,
            desks=tuple(self._order),
            option_desks=options,
            chains=self._chains,
            bars=self._bars,
            minutes=self._minutes,
            counters=self._counters,
            tally=self._tally,
        )

    def replace(self, gone: Callable[[Instrument], bool], new: Replacement) -> None:
        """Forget some instruments and take others for them, as another process knew them."""
        self._settle()
        kept = [column for column, desk in enumerate(self._order) if not gone(desk.spec.instrument)]
        self._bars.drop(np.array(kept, dtype=np.int64))
        self._minutes.drop(np.array(kept, dtype=np.int64))
        self._order = [self._order[column] for column in kept]
        self._desks = {desk.spec.instrument: desk for desk in self._order}
        self._option_desks = {
            name: desk for name, desk in self._option_desks.items() if not gone(name)
        } | new.option_desks
        self._resyncs = {name: reason for name, reason in self._resyncs.items() if not gone(name)}
        self._chains.replace(gone, new.option_rows)
        self._desks |= new.desks
        self._board = None
        self._addressed.clear()
        self._settle()
        columns = np.array([self._columns[name] for name in new.desks], dtype=np.int64)
        for interval, rows in new.bars.items():
            self._bars.fill(interval, rows, columns)
        for name, told in new.minutes.items():
            self._minutes.fill(self._columns[name], told)

    def freshness(self, now_ns: int) -> dict[Instrument, dict[Stream, Freshness]]:
        """The age of every stream of every instrument as of ``now_ns``."""
        self._settle()
        return {
            desk.spec.instrument: {stream: desk.freshness(stream, now_ns) for stream in STREAMS}
            for desk in self._order
        } | {name: {"quote": row} for name, row in self._chains.freshness(now_ns).items()}

    # -- one handler per event ---------------------------------------------------------------------

    def _addresses(self, instruments: tuple[Instrument, ...]) -> Cells:
        """Where the desks of these instruments are, by their numbers in blocks."""
        for known, desks in self._addressed:
            if known is instruments:
                return desks
        desks = Cells(len(instruments))
        found = (self._desks.get(name) for name in instruments)
        desks.put_ints(0, [0 if desk is None else desk.cells.at for desk in found])
        self._addressed = [(instruments, desks), *self._addressed[: MOST_ADDRESSED - 1]]
        return desks

    def _known(self, instrument: Instrument, *, silent: bool = False) -> Desk | None:
        desk = self._desks.get(instrument) or self._option_desks.get(instrument)
        if desk is None and not silent:
            self._counters.add("unknown_instruments")
        return desk

    def _option_desk(self, instrument: Instrument) -> Desk | None:
        """The desk of an option, made when the first of its books or trades is met."""
        desk = self._option_desks.get(instrument)
        row = None if desk is not None else self._chains.row(instrument)
        if row is not None:
            desk = self._option_desks[instrument] = Desk(row.spec, self._counters)
        return desk

    def _on_option(self, event: OptionUpdate) -> None:
        if not self._chains.take(event):
            self._counters.add("unknown_instruments")

    def _ask(self, desk: Desk, reason: str) -> None:
        self._resyncs[desk.spec.instrument] = reason
        self._tally.resync(desk.spec.instrument, reason)
        self._counters.add("book_resyncs")

    def _on_bar(self, event: BarUpdate) -> None:
        if event.instrument not in self._desks:
            self._counters.add("unknown_instruments")
            return
        desk = self._desks[event.instrument]
        self._settle()
        column = self._columns[event.instrument]
        desk.forming.note(event.interval, event.event_ns, event.receive_ns)
        if event.final:
            if event.interval == "1m" and desk.minutes is not None:
                desk.minutes.stated(event.bar.open_ns)
                self._drain(desk, column)
            if self._bars.update(desk.forming.with_takers(event), column):
                desk.forming.settle(event.interval, event.bar.open_ns)
            return
        desk.forming.take(event, self._bars.newest_ns(event.interval, column))

    def _on_block(self, block: BarBlock) -> None:
        self._settle()
        if self._block_of[0] is not block.instruments:
            known = [
                (at, self._columns[instrument])
                for at, instrument in enumerate(block.instruments)
                if instrument in self._columns
            ]
            pairs = np.array(known, dtype=np.int64).reshape(len(known), 2)
            self._block_of = (block.instruments, pairs[:, 0].copy(), pairs[:, 1].copy())
        _, take, columns = self._block_of
        if len(take) < len(block.instruments):
            self._counters.add("unknown_instruments", len(block.instruments) - len(take))
        if not len(take) or not len(block.open_ns):
            return
        self._bars.block(block, take, columns)
        for column in columns.tolist():
            desk = self._order[column]
            desk.forming.note(block.interval, block.event_ns, block.receive_ns)
            desk.forming.settle(block.interval, int(block.open_ns[-1]))

    def _on_listed(self, event: Listed) -> None:
        instrument = event.spec.instrument
        option = instrument.kind == "option"
        if option:
            for gone in self._chains.take_spec(event.spec, event.event_ns):
                self._option_desks.pop(gone, None)
        desk = (self._option_desks if option else self._desks).get(instrument)
        if desk is None:
            if option:
                return
            self._desks[instrument] = Desk(event.spec, self._counters)
            self._board = None
            self._addressed.clear()
            return
        reason = desk.take_spec(event.spec, event.event_ns)
        if reason is not None:
            self._ask(desk, reason)

    def _on_down(self, event: StreamDown) -> None:
        for instrument in event.instruments:
            told = "quote" in event.streams and self._chains.lose(instrument, event.reason, event.event_ns)
            desk = self._known(instrument, silent=told)
            if told:
                self._tally.lose(instrument, "quote")
            if desk is not None:
                for stream in event.streams:
                    if not (told and stream == "quote"):
                        self._tally.lose(instrument, stream)
                    desk.lose(stream, event.reason, event.event_ns)

    def _on_alive(self, event: StreamAlive) -> None:
        for instrument in event.instruments:
            told = "quote" in event.streams and self._chains.alive(instrument, event.event_ns)
            desk = self._known(instrument, silent=told)
            if desk is not None:
                for stream in event.streams:
                    desk.pulses[stream].alive(event.event_ns)
                    if desk.minutes is not None:
                        desk.minutes.alive(stream, event.event_ns)

    def _on_unfollowed(self, event: Unfollowed) -> None:
        """Forget the instruments; their columns and rows are free again."""
        gone = frozenset(event.instruments)
        unknown = sum(name not in self._desks and self._chains.row(name) is None for name in gone)
        if unknown:
            self._counters.add("unknown_instruments", unknown)
        if unknown < len(gone):
            self.replace(gone.__contains__, _NOTHING_INSTEAD)

    def _drain(self, desk: Desk, column: int) -> None:
        """Take the minutes that an instrument has closed."""
        if desk.minutes is not None and desk.minutes.closed:
            self._minutes.put(column, desk.minutes.closed)
            desk.minutes.closed.clear()

    def _settle(self) -> Board:
        """The board, after instruments listed since the last call got their columns, sorted by identity."""
        if self._board is None:
            before = self._order
            self._order = sorted(self._desks.values(), key=lambda desk: desk.spec.instrument)
            self._columns = {desk.spec.instrument: column for column, desk in enumerate(self._order)}
            moved = [self._columns[desk.spec.instrument] for desk in before]
            self._bars.reshape(np.array(moved, dtype=np.int64), len(self._order))
            self._minutes.reshape(np.array(moved, dtype=np.int64), len(self._order))
            self._block_of = ((), _NO_COLUMNS, _NO_COLUMNS)
            self._board = Board(self._order)
        return self._board


def _known_by(series: Series | None, as_of_ns: int) -> Series | None:
    """The points of a history up to a time; None without any."""
    if series is None or series.time_ns[-1] <= as_of_ns:
        return series
    count = int(np.searchsorted(series.time_ns, as_of_ns, side="right"))
    return Series(series.time_ns[:count], series.value[:count]) if count else None


def _traded_by(tape: TradeTape | None, as_of_ns: int) -> TradeTape | None:
    """The trades of a tape up to a time; None without any."""
    if tape is None or tape.event_ns[-1] <= as_of_ns:
        return tape
    count = int(np.searchsorted(tape.event_ns, as_of_ns, side="right"))
    if not count:
        return None
    return TradeTape(tape.event_ns[:count], tape.price[:count], tape.size[:count], tape.aggressor[:count])
