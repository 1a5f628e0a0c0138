"""What a venue lists now, and its latest facts: the first reads of a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from sextant.errors import WireError
from sextant.kit.clock import Deadline
from sextant.model.events import Event, Listed
from sextant.venues.asking import Asks
from sextant.venues.port import Category, Listing, SymbolTable, Venue

PAGES: Final = 50  # of one category; more would be a cursor that does not advance


@dataclass(frozen=True, slots=True)
class Directory:
    """The instruments of a venue.

    Parameters
    ----------
    symbols
        Two-way map of every usable listing.
    events
        The listings as model events, in the venue's order.
    left_out
        Symbol and reason of every row the model cannot hold.
    """

    symbols: SymbolTable
    events: tuple[Listed, ...]
    left_out: tuple[tuple[str, str], ...]


async def read_directory(
    venue: Venue, client: Asks, deadline: Deadline, categories: Sequence[Category] | None = None
) -> Directory:
    """Every instrument of the categories; of all the venue's when None.

    Raises
    ------
    VenueError
        If a page could not be had: half a directory would look like a delisting.
    """
    symbols = SymbolTable()
    events: list[Listed] = []
    left_out: list[tuple[str, str]] = []
    for category in categories if categories is not None else tuple(venue.sockets):
        cursor: str | None = None
        for _ in range(PAGES):
            request = venue.instruments_request(category, cursor)
            answer = await client.get(request.path, request.query, deadline)
            page = venue.parse_instruments(answer.body, answer.receive_ns)
            for listing in page.listings:
                symbols.add(listing)
            events += page.events
            left_out += page.left_out
            cursor = page.cursor
            if cursor is None:
                break
        else:
            raise WireError(
                f"{venue.name} lists more than {PAGES} pages of {category}.", reason="pages", field="cursor"
            )
    return Directory(symbols, tuple(events), tuple(left_out))


def changes(held: Sequence[Listing], found: Directory, at_ns: int) -> list[Listing]:
    """The held listings whose rules changed, or that are listed no more; the latter with status ``delisted``.

    Parameters
    ----------
    held
        What was known before.
    found
        What the venue lists now.
    at_ns
        When it was read; dates a delisting, which the venue tells by silence.

    Raises
    ------
    WireError
        If more than half of the held listings are gone: an answer that has lost its rows is likelier.
    """
    changed: list[Listing] = []
    gone = 0
    for known in held:
        now = found.symbols.listing(known.instrument)
        if now is None:
            gone += 1
            if known.spec.status != "delisted":
                spec = msgspec.structs.replace(known.spec, status="delisted", as_of_ns=at_ns)
                changed.append(replace(known, spec=spec))
        elif msgspec.structs.replace(now.spec, as_of_ns=known.spec.as_of_ns) != known.spec:
            changed.append(now)
    if gone > 1 and gone > len(held) / 2:
        raise WireError(f"{gone} of {len(held)} instruments are listed no more.", reason="rows", field="list")
    return changed


async def read_quotes(venue: Venue, client: Asks, deadline: Deadline, symbols: SymbolTable) -> list[Event]:
    """The latest quote and facts of every listed instrument, one read a category.

    Raises
    ------
    VenueError
        If an answer could not be had.
    """
    events: list[Event] = []
    for category in venue.sockets:
        if symbols.instruments(category):
            request = venue.quotes_request(category)
            answer = await client.get(request.path, request.query, deadline)
            events += venue.parse_quotes(answer.body, answer.receive_ns, symbols)
    return events
