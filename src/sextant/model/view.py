"""The view: all that a strategy may see, frozen at ``as_of`` and content-hashed.

Every array has one column (or entry) per instrument, in the order of ``View.instruments``;
NaN means unknown. Arrays are read-only; a view shares memory with the market state and costs
no copy of history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.bar import BAR_FIELDS, Floats, Integers
from sextant.model.digests import DIGEST_BYTES, digest_of
from sextant.model.instrument import Instrument, InstrumentSpec, Style
from sextant.model.times import INTERVAL_NS, MINUTE_NS, Interval

Flags = NDArray[np.bool_]
Feed = Literal["live", "demo", "replay"]


@dataclass(frozen=True, slots=False, eq=False)
class BarFrame:
    """Closed bars of one interval, oldest row first.

    Parameters
    ----------
    interval
        Length of each bar.
    open_ns
        int64 (T,): consecutive multiples of the interval.
    open, high, low, close, volume, quote_volume, taker_buy_volume
        float64 (T, S), C-contiguous rows, read-only.
    row_digests
        T digests of 16 bytes, joined: the content of each row (see :func:`row_digest`), kept by
        the market state so that hashing a view costs nothing per row.
    """

    interval: Interval
    open_ns: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats
    taker_buy_volume: Floats
    row_digests: bytes

    def __post_init__(self) -> None:
        """Refuse frames whose rows are not consecutive or whose shapes disagree."""
        rows = len(self.open_ns)
        step = INTERVAL_NS[self.interval]
        if rows and (self.open_ns[0] % step or np.any(np.diff(self.open_ns) != step)):
            raise InputError(
                f"Rows of the {self.interval} frame are not consecutive multiples of the interval."
            )
        for name in BAR_FIELDS:
            column: Floats = getattr(self, name)
            if column.shape != (rows, self.close.shape[1]) or column.dtype != np.float64:
                raise InputError(
                    f"Column {name} of the {self.interval} frame is {column.dtype} {column.shape}."
                )
        if len(self.row_digests) != rows * DIGEST_BYTES:
            raise InputError(
                f"The {self.interval} frame has {rows} rows and {len(self.row_digests)} bytes of digests."
            )

    @cached_property
    def content_digest(self) -> bytes:
        """16 bytes that stand for every row; a repaired row changes them as a new one does."""
        return digest_of((self.interval.encode(), self.row_digests))

    @property
    def rows(self) -> int:
        """T, the number of closed bars."""
        return len(self.open_ns)

    @property
    def last_close_ns(self) -> int | None:
        """When the last bar closed; None without bars."""
        return int(self.open_ns[-1]) + INTERVAL_NS[self.interval] if self.rows else None


def row_digest(open_ns: int, columns: tuple[Floats, ...]) -> bytes:
    """Digest of one row: its open time and the bytes of its seven columns, in the order of ``BAR_FIELDS``.

    Parameters
    ----------
    open_ns
        Open time of the row.
    columns
        Seven float64 arrays (S,), C-contiguous.
    """
    return digest_of((open_ns.to_bytes(8, "little", signed=True), *columns))


def bar_frame(interval: Interval, open_ns: Integers, columns: Mapping[str, Floats]) -> BarFrame:
    """A frame over given arrays, with its digests computed; absent columns are unknown (NaN).

    Parameters
    ----------
    interval
        Length of each bar.
    open_ns
        int64 (T,).
    columns
        float64 (T, S) by name of ``BAR_FIELDS``; ``close`` is required.
    """
    shape = columns["close"].shape
    full = {
        name: np.ascontiguousarray(columns[name], dtype=np.float64)
        if name in columns
        else np.full(shape, np.nan)
        for name in BAR_FIELDS
    }
    for column in full.values():
        column.flags.writeable = False
    digests = b"".join(
        row_digest(int(time), tuple(full[name][row] for name in BAR_FIELDS))
        for row, time in enumerate(open_ns)
    )
    return BarFrame(interval, np.ascontiguousarray(open_ns, dtype=np.int64), **full, row_digests=digests)


@dataclass(frozen=True, eq=False)
class Quotes:
    """Best bid and ask: float64 (S,), NaN where unknown; ``event_ns`` int64 (S,), 0 where never seen."""

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    event_ns: Integers


@dataclass(frozen=True, eq=False)
class Books:
    """The first L levels per side, best first.

    Parameters
    ----------
    bid_price, bid_size, ask_price, ask_size
        float64 (S, L), NaN beyond the visible book and where the book is invalid.
    valid
        bool (S,): the sequence is unbroken and bid < ask.
    event_ns
        int64 (S,), 0 where never seen.
    """

    bid_price: Floats
    bid_size: Floats
    ask_price: Floats
    ask_size: Floats
    valid: Flags
    event_ns: Integers


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Facts beyond the book: float64 (S,), NaN where unknown or not applicable.

    ``funding_rate`` is a fraction per ``funding_interval_s``, positive: longs pay shorts.
    ``event_ns`` and ``next_funding_ns`` are int64 (S,), 0 where unknown.
    """

    last: Floats
    turnover_24h: Floats
    mark: Floats
    index: Floats
    funding_rate: Floats
    funding_interval_s: Floats
    next_funding_ns: Integers
    open_interest: Floats
    long_share: Floats
    event_ns: Integers


OPTION_FIELDS: Final = (
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "mark",
    "bid_iv",
    "ask_iv",
    "mark_iv",
    "forward",
    "index",
    "last",
    "open_interest",
    "volume_24h",
    "delta",
    "gamma",
    "vega",
    "theta",
)
"""Columns of an option chain that its venue states; units as in :class:`sextant.model.events.OptionUpdate`."""


@dataclass(frozen=True, eq=False)
class OptionChain:
    """The options of one underlying at one venue that have not expired, by expiry, strike and right.

    Parameters
    ----------
    name
        ``venue:BASE-QUOTE`` of the underlying; one style to a chain.
    style
        Whether prices are in quote units (linear) or base units (inverse).
    instruments
        N options, the rows.
    expiry_ns, strike, right
        int64, float64 and int64 (N,): settlement; quote units; +1 call, -1 put.
    event_ns
        int64 (N,), 0 where never seen.
    values
        float64 (fields, N) in the order of ``OPTION_FIELDS``; NaN where unknown. A bid that is not below its ask
        is held back: both are NaN.
    """

    name: str
    style: Style
    instruments: tuple[InstrumentSpec, ...]
    expiry_ns: Integers
    strike: Floats
    right: Integers
    event_ns: Integers
    values: Floats

    def column(self, name: str) -> Floats:
        """float64 (N,): one of ``OPTION_FIELDS``."""
        row: Floats = self.values[OPTION_FIELDS.index(name)]
        return row

    @property
    def size(self) -> int:
        """N, the number of options."""
        return len(self.instruments)


def chain_name(instrument: Instrument) -> str:
    """The chain an option belongs to.

    Examples
    --------
    >>> chain_name(Instrument("deribit", "BTC", "USD", "perpetual"))
    'deribit:BTC-USD'
    """
    return f"{instrument.venue}:{instrument.base}-{instrument.quote}"


@dataclass(frozen=True, eq=False)
class Points:
    """Columns of one instrument that never change once a view holds them."""

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that stand for every point; computed once for all views that share the object.

        Notes
        -----
        SHA-256, which processors have instructions for: trades are most of what changes from view to view.
        """
        columns = columns_of(self)
        parts: tuple[Any, ...] = (len(columns[0]).to_bytes(8, "little"), *map(np.ascontiguousarray, columns))
        # In one piece, for the reason that `digest_of` gives.
        return hashlib.sha256(b"".join(parts)).digest()[:DIGEST_BYTES]


@dataclass(frozen=True, eq=False)
class Series(Points):
    """A history of one instrument: times int64 (n,) rising, values float64 (n,)."""

    time_ns: Integers
    value: Floats

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What was made of it for whatever view holds it, by name; most views share nearly all histories."""
        return {}


@dataclass(frozen=True, eq=False)
class TradeTape(Points):
    """Recent public trades of one instrument, oldest first; ``aggressor`` is +1, -1, or 0 where unknown."""

    event_ns: Integers
    price: Floats
    size: Floats
    aggressor: Floats


@dataclass(frozen=True, eq=False)
class LiquidationTape(Points):
    """Recent forced closes of one instrument, oldest first; ``side`` is +1 where a long position was closed, else -1."""

    event_ns: Integers
    price: Floats
    size: Floats
    side: Floats


def columns_of(points: Points) -> tuple[Integers | Floats, ...]:
    """The arrays of a history, in their order."""
    return tuple(getattr(points, name) for name in points.__dataclass_fields__)


MINUTE_FIELDS: Final = (
    "buy_turnover",
    "sell_turnover",
    "buy_count",
    "sell_count",
    "large_buy",
    "large_sell",
    "max_trade_usd",
    "seen_volume",
    "book_samples",
    "book_age_s",
    "spread_bps",
    "touch_imbalance",
    "top_imbalance",
    "depth_imbalance",
    "micro_price",
    "bid_usd_25",
    "ask_usd_25",
    "band_imbalance_50",
    "impact_asymmetry",
    "ofi_1",
    "ofi_5",
    "withdrawn_bid_usd",
    "withdrawn_ask_usd",
    "liq_long_usd",
    "liq_short_usd",
    "liq_count",
    "root_long",
    "root_short",
    "liquidations_age_s",
)
"""What takers, books and forced closes did in a minute: sums of trades by the side that took, quote units but for
``seen_volume``, base units; means of the valid samples of the book, one a second; sums by side of the position closed."""


@dataclass(frozen=True, eq=False)
class MinuteFrame:
    """Minutes beside the bars, oldest row first; NaN where the stream was not there for the whole minute.

    Parameters
    ----------
    open_ns
        int64 (T,): consecutive minutes.
    parts
        float32 (29, t, S) each, in the order of ``MINUTE_FIELDS``, read-only; their rows follow one another.
    row_digests
        T digests of 16 bytes, joined.

    Notes
    -----
    Kept in single precision, relative error 6e-8: there are four times as many columns as in bars.
    """

    open_ns: Integers
    parts: tuple[NDArray[np.float32], ...]
    row_digests: bytes

    def __post_init__(self) -> None:
        """Refuse rows that are not consecutive, or parts of another shape."""
        rows = len(self.open_ns)
        if rows and (self.open_ns[0] % MINUTE_NS or np.any(np.diff(self.open_ns) != MINUTE_NS)):
            raise InputError("Rows of the minutes are not consecutive.")
        shapes = {(part.shape[0], part.shape[2], part.dtype) for part in self.parts}
        told = sum(part.shape[1] for part in self.parts)
        if told != rows or len(self.row_digests) != rows * DIGEST_BYTES or len(shapes) > 1:
            raise InputError(
                f"There are {rows} minutes, {told} rows and {len(self.row_digests)} bytes of digests."
            )

    @property
    def rows(self) -> int:
        """T, the number of minutes."""
        return len(self.open_ns)

    def column(self, name: str, first: int = 0) -> Floats:
        """float64 (T - first, S): one of ``MINUTE_FIELDS`` from a row on, a copy."""
        place = MINUTE_FIELDS.index(name)
        found, start = [], 0
        for part in self.parts:
            end = start + part.shape[1]
            if end > first:
                found.append(part[place, max(0, first - start) :])
            start = end
        size = self.parts[0].shape[2] if self.parts else 0
        whole = np.concatenate(found) if found else np.empty((0, size), dtype=np.float32)
        return whole.astype(np.float64)


def minute_digest(open_ns: int, values: NDArray[np.float32]) -> bytes:
    """Digest of one row of minutes: its open time and its bytes, float32 (29, S)."""
    return digest_of((open_ns.to_bytes(8, "little", signed=True), np.ascontiguousarray(values)))


@dataclass(frozen=True, eq=False)
class View:
    """The market as it was known at ``as_of_ns``.

    Parameters
    ----------
    as_of_ns
        The instant of the picture.
    feed, simulated
        Where the facts came from; ``simulated`` when any came from a simulated venue.
    instruments
        S specs; the order of every column.
    bars
        By interval; an interval that nobody feeds is absent.
    quotes, books, derivatives
        Latest facts per instrument.
    funding_history, open_interest_history, trades
        By instrument; absent where unknown.
    liquidations
        By instrument; absent where none was seen, which does not say that there was none.
    minutes
        What was told of each minute besides its bar; None where nothing was.
    long_share_history
        Share of accounts net long on the 5-minute grid, in [0, 1]; absent where unknown.
    chains
        Options by the name of their chain; they are rows there and no columns of the view.
    """

    as_of_ns: int
    feed: Feed
    simulated: bool
    instruments: tuple[InstrumentSpec, ...]
    bars: Mapping[Interval, BarFrame]
    quotes: Quotes
    books: Books
    derivatives: Derivatives
    funding_history: Mapping[Instrument, Series]
    open_interest_history: Mapping[Instrument, Series]
    trades: Mapping[Instrument, TradeTape]
    chains: Mapping[str, OptionChain] = field(default_factory=dict)
    liquidations: Mapping[Instrument, LiquidationTape] = field(default_factory=dict)
    minutes: MinuteFrame | None = None
    long_share_history: Mapping[Instrument, Series] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """S, the number of instruments."""
        return len(self.instruments)

    @cached_property
    def column_of(self) -> Mapping[Instrument, int]:
        """Column of each instrument."""
        return {spec.instrument: column for column, spec in enumerate(self.instruments)}

    @cached_property
    def names(self) -> tuple[Instrument, ...]:
        """The instruments in their order, without their rules."""
        return tuple(spec.instrument for spec in self.instruments)

    @cached_property
    def kept(self) -> dict[Hashable, Any]:
        """What was made of it once for every caller, by key."""
        return {}

    @cached_property
    def content_hash(self) -> str:
        """Hex digest of everything above; equal views give equal scans, byte for byte."""
        told: list[Any] = [msgspec.json.encode((self.as_of_ns, self.feed, self.simulated, self.instruments))]
        for interval, frame in sorted(self.bars.items()):
            told += (interval.encode(), frame.row_digests)
        for part in (self.quotes, self.books, self.derivatives):
            for name, column in vars(part).items():
                told += (name.encode(), np.ascontiguousarray(column))
        if self.minutes is not None:
            told.append(self.minutes.row_digests)
        histories: tuple[Mapping[Instrument, Points], ...] = (
            self.funding_history,
            self.open_interest_history,
            self.trades,
            self.liquidations,
            self.long_share_history,
        )
        for place, history in enumerate(histories):
            for instrument in sorted(history):
                told += (f"{place}{instrument}".encode(), history[instrument].digest)
        for name, chain in sorted(self.chains.items()):
            told.append(msgspec.json.encode((name, chain.style, chain.instruments)))
            told += (np.ascontiguousarray(chain.event_ns), np.ascontiguousarray(chain.values))
        return digest_of(told).hex()


def _unknown(*shape: int) -> Floats:
    return np.full(shape, np.nan)


def _never(size: int) -> Integers:
    return np.zeros(size, dtype=np.int64)


def no_quotes(size: int) -> Quotes:
    """Quotes of ``size`` instruments of which nothing is known."""
    return Quotes(_unknown(size), _unknown(size), _unknown(size), _unknown(size), _never(size))


def no_books(size: int, levels: int = 1) -> Books:
    """Books of ``size`` instruments of which nothing is known."""
    unknown = _unknown(size, levels)
    return Books(unknown, unknown, unknown, unknown, np.zeros(size, dtype=np.bool_), _never(size))


def no_derivatives(size: int) -> Derivatives:
    """Derivatives facts of ``size`` instruments of which nothing is known."""
    unknown = _unknown(size)
    return Derivatives(
        last=unknown,
        turnover_24h=unknown,
        mark=unknown,
        index=unknown,
        funding_rate=unknown,
        funding_interval_s=unknown,
        next_funding_ns=_never(size),
        open_interest=unknown,
        long_share=unknown,
        event_ns=_never(size),
    )
