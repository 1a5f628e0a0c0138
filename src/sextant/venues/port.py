"""The port every venue fills: where it listens, how it is asked, and pure functions that read its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from sextant.errors import VenueError
from sextant.model.balance import Balance, Position
from sextant.model.bar import BarBlock
from sextant.model.credentials import Credentials
from sextant.model.event_block import EventBlock
from sextant.model.events import (
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Listed,
    OpenInterestPoint,
    Stream,
)
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.times import Interval
from sextant.venues.broker import Policy

Category: TypeAlias = str
"""The venue's own division of its markets, as ``linear`` and ``spot``; each has its own socket."""

Operation = Literal["subscribe", "unsubscribe"]
ControlKind = Literal["acknowledged", "refused", "pong", "quiet", "unknown_topic", "unlisted"]


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument under its venue's own spelling."""

    category: Category
    symbol: str
    spec: InstrumentSpec

    @property
    def instrument(self) -> Instrument:
        """The identity behind the symbol."""
        return self.spec.instrument


class SymbolTable:
    """The two-way map between a venue's symbols and instruments.

    Every lookup of one symbol gives the same ``Instrument`` object, so that dictionaries keyed by
    instrument find it by identity and by its cached hash.

    Parameters
    ----------
    listings
        What is known at the start; later rules of the same instrument replace earlier ones.
    """

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._by_category: dict[Category, dict[str, Instrument]] = {}
        self._listings: dict[Instrument, Listing] = {}
        self._routes: dict[Category, dict[bytes, Any]] = {}
        for listing in listings:
            self.add(listing)

    def __len__(self) -> int:
        """Number of instruments."""
        return len(self._listings)

    def __iter__(self) -> Iterator[Listing]:
        """The listings in the order they were first added."""
        return iter(self._listings.values())

    def add(self, listing: Listing) -> None:
        """Know the listing, or its changed rules."""
        self._routes.clear()
        symbols = self._by_category.setdefault(listing.category, {})
        known = symbols.get(listing.symbol)
        if known is not None and known != listing.instrument:
            self._listings.pop(known, None)
        if known != listing.instrument:
            symbols[listing.symbol] = listing.instrument
        self._listings[symbols[listing.symbol]] = listing

    def remove(self, instrument: Instrument) -> None:
        """Know it no more: its frames are those of an unlisted symbol."""
        listing = self._listings.pop(instrument, None)
        if listing is not None:
            self._routes.clear()
            self._by_category[listing.category].pop(listing.symbol, None)

    def instruments(self, category: Category) -> Mapping[str, Instrument]:
        """The instruments of a category by symbol."""
        return self._by_category.get(category, {})

    def instrument(self, category: Category, symbol: str) -> Instrument | None:
        """The instrument behind a symbol; None when the venue never listed it."""
        return self.instruments(category).get(symbol)

    def routes(self, category: Category) -> dict[bytes, Any]:
        """Where a venue's parser may keep what a topic of known instruments leads to; emptied when one is added."""
        routes = self._routes.get(category)
        return self._routes.setdefault(category, {}) if routes is None else routes

    def listing(self, instrument: Instrument) -> Listing | None:
        """The venue's spelling and rules of an instrument; None when unknown."""
        return self._listings.get(instrument)


@dataclass(frozen=True, slots=True)
class Request:
    """A read-only REST question: path below the venue's base URL, and query in order.

    ``post`` where the venue wants a question that changes nothing to be posted, without a body.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    post: bool = False


@dataclass(frozen=True, slots=True)
class Listings:
    """One page of a venue's instruments.

    Parameters
    ----------
    listings
        Usable rows.
    events
        The same rows as model events.
    cursor
        Where the next page begins; None on the last.
    left_out
        Symbol and reason of every row the model cannot hold.
    """

    listings: tuple[Listing, ...]
    events: tuple[Listed, ...]
    cursor: str | None
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """What a frame without model events was.

    Parameters
    ----------
    kind
        acknowledged, refused (of a subscription), pong, quiet (a known topic that mentions nothing the model
        holds), unknown_topic, or unlisted (a topic of a symbol the table does not hold).
    request_id
        The number the client gave the request; empty where the venue does not return it.
    detail
        The venue's words, or the topic.
    """

    kind: ControlKind
    request_id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can tell.

    Parameters
    ----------
    streams
        Live streams by category.
    intervals
        Bars its history holds.
    funding, open_interest, account_ratio
        Whether it keeps that history.
    """

    streams: Mapping[Category, tuple[Stream, ...]]
    intervals: tuple[Interval, ...]
    funding: bool
    open_interest: bool
    account_ratio: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What a venue allows one address.

    Parameters
    ----------
    topics_per_request
        Topics in one subscribe message, by category.
    topic_characters
        Characters of all topics of one connection.
    connects_per_5_min
        Connection attempts per address.
    requests_per_s
        REST reads per second this client allows itself; below the venue's own limit.
    frame_bytes
        Largest message accepted from the socket.
    messages_per_s
        Messages an address may send to all sockets together; None where the venue states no number.
    """

    topics_per_request: Mapping[Category, int]
    topic_characters: int
    connects_per_5_min: int
    requests_per_s: float
    frame_bytes: int
    messages_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """How a connection is kept and judged: a text sent every ``every_s``, dead after ``silent_s`` without a frame."""

    text: bytes
    every_s: float
    silent_s: float


@dataclass(frozen=True, slots=True)
class History:
    """Questions about the past, and pure functions that read the answers.

    Every ``*_request`` takes the listing, the end of the wanted time and a row count; every ``parse_*``
    takes the body and raises ``WireError`` naming the field, or the error the venue's own code stands for.
    The ``*_rows`` fields are the most rows one answer holds.
    """

    bars_rows: int
    bars_request: Callable[[Listing, Interval, int, int], Request]
    parse_bars: Callable[[bytes, int, Instrument, Interval], BarBlock]
    funding_rows: int
    funding_request: Callable[[Listing, int, int], Request]
    parse_funding: Callable[[bytes, int, Instrument], list[FundingSettled]]
    open_interest_rows: int
    open_interest_request: Callable[[Listing, int, int], Request]
    parse_open_interest: Callable[[bytes, int, Instrument], list[OpenInterestPoint]]
    account_ratio_rows: int
    account_ratio_request: Callable[[Listing, int, int], Request]
    parse_account_ratio: Callable[[bytes, int, Instrument], list[DerivativesUpdate]]


BlockReader: TypeAlias = Callable[[Category, Sequence[bytes], Sequence[int], SymbolTable], EventBlock]
"""Frames of a socket of a category and when each arrived, to a block of as many messages."""


class Keeper(Protocol):
    """What a client must remember of one connection to bring its venue's events in order; made anew for each.

    It numbers books that the wire does not number, holds changes back until the book's beginning is known,
    compares checksums, and closes bars that the venue never calls final.
    """

    def take(self, data: bytes, events: list[Event], receive_ns: int) -> list[Event]:
        """The events of one frame as they may be learnt, from the frame, its ``parse_frame`` and its arrival."""
        ...

    def begin(self, snapshot: BookSnapshot) -> list[Event]:
        """The events that a book asked for by REST makes known; none where it is too old."""
        ...

    def forget(self, instrument: Instrument) -> None:
        """Hold the changes of a book back until its next beginning."""
        ...

    def wants(self) -> list[Instrument]:
        """The books that came to need a new beginning since the last call."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshots:
    """How the beginning of a book is asked for at venues whose sockets send changes only.

    Parameters
    ----------
    request
        Listing to the question.
    parse
        ``(body, receive_ns, listing)`` to the book. Raises ``WireError``.
    paths
        Category by path of every such question, retired ones of recordings included; the query's ``symbol``
        or ``instId`` names the instrument.
    per_s
        Questions a second that this client allows itself.
    """

    request: Callable[[Listing], Request]
    parse: Callable[[bytes, int, Listing], BookSnapshot]
    paths: Mapping[str, Category]
    per_s: float


@dataclass(frozen=True, slots=True)
class Statement:
    """What an account holds in assets.

    Parameters
    ----------
    balances
        One per asset.
    equity_usd, free_usd
        Value of everything, and what of it is free, by the venue; None where it states none.
    as_of_ns
        When it was true at the venue.
    """

    balances: tuple[Balance, ...]
    equity_usd: float | None
    free_usd: float | None
    as_of_ns: int


@dataclass(frozen=True, slots=True)
class PositionsPage:
    """One page of open positions; ``cursor`` is None on the last, ``unlisted`` names symbols the table does not hold."""

    positions: tuple[Position, ...]
    cursor: str | None
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accounts:
    """How an account is read; nothing here can order, move or change anything.

    Parameters
    ----------
    sign
        ``(credentials, now_ns, request)`` to the headers that prove whose read it is.
    balances_request, parse_balances
        The question, and body to what is held.
    category
        Whose symbols positions are told in.
    positions_request, parse_positions
        Cursor to the question; ``(body, symbols)`` to one page. Both raise ``VenueError``.
    """

    sign: Callable[[Credentials, int, Request], dict[str, str]]
    balances_request: Callable[[], Request]
    parse_balances: Callable[[bytes], Statement]
    category: Category
    positions_request: Callable[[str | None], Request]
    parse_positions: Callable[[bytes, SymbolTable], PositionsPage]


@dataclass(frozen=True, slots=True)
class SideSocket:
    """A further socket of a category, and the streams that travel on it alone."""

    url: str
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Door:
    """How the address of a socket is asked for where it is another one each time.

    Parameters
    ----------
    request
        The question.
    parse
        Body to URL. Raises ``VenueError``, as for a server that is not the venue's.
    moved
        Makes the ``parse`` of a venue whose sockets are at another address; None where ``parse`` suits any.
    """

    request: Request
    parse: Callable[[bytes], str]
    moved: Callable[[str], Callable[[bytes], str]] | None = None


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Where a venue states whether it rests.

    Parameters
    ----------
    request
        The question.
    parse
        ``(body, now_ns)`` to its words while it rests, empty while it is open. Raises ``VenueError``.
    """

    request: Request
    parse: Callable[[bytes, int], str]


@dataclass(frozen=True, slots=True)
class Variations:
    """Where a venue differs from one REST host, one socket a category, and frames that need no memory.

    Parameters
    ----------
    keeper
        Makes the memory of a connection from its category and instruments; None where none is needed.
    snapshots
        How the beginning of a book is asked for; None where the socket sends it.
    one_channel
        Whether one subscribe message may name topics of one channel only, which stands before their colon.
    rests
        Base URLs by path prefix, where another host than ``Venue.rest`` answers.
    side_sockets
        The second socket of a category.
    door
        How the address of a socket is asked for; None where it is always the same.
    policy
        How its REST interface may be asked; None where only ``Limits.requests_per_s`` is known.
    former
        Categories and URLs of sockets that only recordings name.
    former_lists
        Paths of the questions for instruments that only recordings name.
    accounts
        How an account is read; None where it is not.
    status
        Where it states that it rests; None where it does not, or is not read.
    assume
        ``(category, frame, receive_ns)`` to a listing read off a frame's symbol and digits, for recordings
        without a listing; None for a frame that does not show it.
    read_block
        Reads many frames at once, as ``parse_frame`` would one after another, those aside that it leaves unread; None where
        frames are only read one by one, or a keeper must see them.
    """

    keeper: Callable[[Category, SymbolTable], Keeper] | None = None
    snapshots: Snapshots | None = None
    one_channel: bool = False
    rests: Mapping[str, str] = field(default_factory=dict)
    side_sockets: Mapping[Category, SideSocket] = field(default_factory=dict)
    door: Door | None = None
    policy: Policy | None = None
    former: tuple[tuple[Category, str], ...] = ()
    former_lists: tuple[str, ...] = ()
    accounts: Accounts | None = None
    status: StatusPage | None = None
    assume: Callable[[Category, bytes, int], Listing | None] | None = None
    read_block: BlockReader | None = None


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue: facts and pure functions; it opens nothing and remembers nothing.

    Parameters
    ----------
    name
        Lower-case name used in instruments.
    kinds
        Kinds of instruments it is read for.
    sockets
        Public socket URL by category.
    rest
        Base URL of its REST interface.
    topics
        ``(listing, streams)`` to the topics that carry them, without duplicates.
    command
        ``(operation, topics, request_id)`` to the message that asks for it.
    parse_frame
        ``(category, data, receive_ns, symbols)`` to model events in wire order; empty for acknowledgements,
        pongs, unknown topics and unlisted symbols. Raises ``WireError``.
    parse_control
        ``(category, data, symbols)`` to what a frame without events was. Raises ``WireError``.
    instruments_request, parse_instruments
        ``(category, cursor)`` to a request; ``(body, receive_ns)`` to one page of listings.
    quotes_request, parse_quotes
        ``(category)`` to a request for all latest facts; ``(body, receive_ns, symbols)`` to model events.
    refusal
        ``(status, body)`` to the error an HTTP answer means at this venue, status 200 included; None for the
        general meaning.
    known_gaps
        What it cannot do, one sentence each.
    variations
        Where it differs from the simplest venue.
    """

    name: str
    kinds: tuple[Kind, ...]
    sockets: Mapping[Category, str]
    rest: str
    capabilities: Capabilities
    limits: Limits
    ping: Ping
    topics: Callable[[Listing, Sequence[Stream]], tuple[str, ...]]
    command: Callable[[Operation, Sequence[str], str], bytes]
    parse_frame: Callable[[Category, bytes, int, SymbolTable], list[Event]]
    parse_control: Callable[[Category, bytes, SymbolTable], Control]
    instruments_request: Callable[[Category, str | None], Request]
    parse_instruments: Callable[[bytes, int], Listings]
    quotes_request: Callable[[Category], Request]
    parse_quotes: Callable[[bytes, int, SymbolTable], list[Event]]
    history: History
    refusal: Callable[[int, bytes], VenueError | None]
    known_gaps: tuple[str, ...] = field(default=())
    variations: Variations = field(default_factory=Variations)

    def category_of(self, url: str) -> Category | None:
        """The category whose socket a URL is; None for another URL.

        Where neither host nor former address is known, the path alone decides, so that a recording of
        another host, or a simulator, is read alike.
        """
        sides = ((category, side.url) for category, side in self.variations.side_sockets.items())
        known = [*self.sockets.items(), *sides, *self.variations.former]
        same = [category for category, own in known if (_host(own), _path(own)) == (_host(url), _path(url))]
        alike = [category for category, own in known if _path(own) == _path(url)]
        return next(iter(same or alike), None)

    def rest_of(self, path: str) -> str:
        """The base URL that answers a path."""
        rests = self.variations.rests
        return next((base for prefix, base in rests.items() if path.startswith(prefix)), self.rest)

    def address_of(self, request: Request) -> str:
        """The whole address of a question, as recordings name it."""
        query = "&".join(f"{name}={value}" for name, value in request.query)
        return f"{self.rest_of(request.path)}{request.path}" + (f"?{query}" if query else "")

    def owns(self, url: str) -> bool:
        """Whether a URL, of REST or a socket, is on one of the venue's hosts."""
        own = (self.rest, *self.variations.rests.values(), *self.sockets.values())
        former = (address for _, address in self.variations.former)
        return _host(url) in {_host(item) for item in (*own, *former)}


def _path(url: str) -> str:
    """The path of a URL without query and final slash."""
    rest = url.partition("://")[2].partition("?")[0]
    return rest.partition("/")[2].rstrip("/")


def _host(url: str) -> str:
    """The host of a URL without its port."""
    return url.partition("://")[2].partition("/")[0].partition(":")[0]
