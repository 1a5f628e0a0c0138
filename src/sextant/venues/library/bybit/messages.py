"""Bybit's messages as blocks of events: those that come often are read by kernels, the others are left unread."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from sextant.model.cells import (
    Cells,
    address_of,
    bytes_at,
    compiled,
    digest,
    digest_of,
    ints_at,
    plain_digest,
)
from sextant.model.event_block import (
    BAR,
    BARS,
    BODY,
    CHANGES,
    EVENT_NS,
    EVENTS,
    FACTS,
    FIELDS,
    HEAD,
    KIND,
    LEVELS,
    LIQUIDATION,
    LIQUIDATIONS,
    MANY,
    MORE,
    OPEN_NS,
    RECEIVE_NS,
    TRADE,
    TRADES,
    UNREAD,
    WHOSE,
    EventBlock,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, INTERVALS
from sextant.venues.library.bybit.frames import INTERVAL_OF
from sextant.venues.library.bybit.inverse import CATEGORY as INVERSE
from sextant.venues.library.bybit.reading import (
    read_bar,
    read_book,
    read_trade,
    stamp,
    word,
)
from sextant.venues.library.bybit.reading_facts import read_facts
from sextant.venues.library.bybit.scanning import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COMMA,
    ODD,
    OPEN_LIST,
    POINT,
    key_end,
    text_end,
    value_end,
)
from sextant.venues.port import Category, SymbolTable

_START: Final = np.frombuffer(b'{"topic":"', dtype=np.uint8)
K_TYPE, K_TS, K_CTS, K_DATA = (plain_digest(key) for key in (b"type", b"ts", b"cts", b"data"))
K_TOPIC: Final = plain_digest(b"topic")
W_DELTA: Final = plain_digest(b"delta")

_KINDS: Final = {
    "orderbook.50": (CHANGES, 0),
    "orderbook.200": (CHANGES, 0),
    "orderbook.1000": (CHANGES, 0),
    "publicTrade": (TRADES, 0),
    "tickers": (FACTS, 0),
    "allLiquidation": (LIQUIDATIONS, 0),
    **{f"kline.{text}": (BARS, INTERVALS.index(interval)) for text, interval in INTERVAL_OF.items()},
}
_TOPICS: Final = np.array([(plain_digest(text.encode()), *told) for text, told in _KINDS.items()])
_STEPS: Final = np.array([INTERVAL_NS[interval] for interval in INTERVALS])

NAME: Final = 4
"""Cells of a symbol: its digest, 0 where the place is free, its number, and address and bytes of its text."""
_KEY: Final = b'"'
"""Under which the symbols of a category are kept among the routes; no topic has a quotation mark."""


class Symbols:
    """The symbols of a category in a table of places by digest.

    Parameters
    ----------
    symbols, category
        Whose.
    """

    __slots__ = ("_texts", "cells", "instruments")

    def __init__(self, symbols: SymbolTable, category: Category) -> None:
        listed = symbols.instruments(category)
        self.instruments: tuple[Instrument, ...] = tuple(listed.values())
        self._texts = [text.encode() for text in listed]
        places = 1 << max(4, (2 * len(listed)).bit_length())
        self.cells = Cells(1 + NAME * places)
        self.cells.ints[0] = places
        for number, text in enumerate(self._texts):
            found = digest_of(text)
            at = found & (places - 1)
            while self.cells.ints[1 + NAME * at]:
                at = (at + 1) & (places - 1)
            self.cells.put_ints(1 + NAME * at, [found, number, address_of(text), len(text)])


@compiled
def number_of(symbols: int, text: int, count: int) -> int:
    """The number of a symbol; -1 of one that is not listed."""
    cells, told = ints_at(symbols), bytes_at(text)
    found = digest(text, count)
    at = found & (cells[0] - 1)
    while cells[1 + NAME * at] != 0:
        first = 1 + NAME * at
        if cells[first] == found and cells[first + 3] == count:
            known = bytes_at(cells[first + 2])
            same = True
            for place in range(count):
                same = same and known[place] == told[place]
            if same:
                number: int = cells[first + 1]
                return number
        at = (at + 1) & (cells[0] - 1)
    return -1


@compiled
def topic(text: int, at: int, end: int, symbols: int, head: int) -> int:
    """Read the topic: kind, instrument and interval; the place after it."""
    told, heads = bytes_at(text), ints_at(head)
    first = at + len(_START)
    if first >= end:
        return ODD
    for place in range(len(_START)):
        if told[at + place] != _START[place]:
            return ODD
    close = text_end(text, first, end)
    point = close
    while point > first and told[point] != POINT:
        point -= 1
    if close == ODD or point == first:
        return ODD
    whose = number_of(symbols, text + point + 1, close - point - 1)
    kind = digest(text + first, point - first)
    for row in range(len(_TOPICS)):
        if whose >= 0 and _TOPICS[row, 0] == kind:
            heads[WHOSE], heads[KIND], heads[MORE] = whose, _TOPICS[row, 1], _TOPICS[row, 2]
            return close + 1
    return ODD


@compiled
def read_rows(text: int, at: int, end: int, head: int, into: int) -> int:
    """A list of trades, bars or liquidations that is not empty."""
    told, heads = bytes_at(text), ints_at(head)
    kind, row, count = heads[KIND], heads[BODY], 0
    sign = OPEN_LIST
    while at < end and told[at] == sign:
        sign = COMMA
        if kind == BARS:
            at = read_bar(text, at + 1, end, into, row)
            if at == ODD or ints_at(into)[row + OPEN_NS] % _STEPS[heads[MORE]] != 0:
                return ODD
            row += BAR
        else:
            at = read_trade(text, at + 1, end, into, row, kind == TRADES)
            row += TRADE if kind == TRADES else LIQUIDATION
        if at == ODD:
            return ODD
        count += 1
    if at >= end or told[at] != CLOSE_LIST:
        return ODD
    heads[MANY] = heads[EVENTS] = count
    return at + 1


@compiled
def read_data(text: int, at: int, end: int, head: int, into: int) -> int:
    """What a message of a kind is about."""
    kind = ints_at(head)[KIND]
    if kind == CHANGES:
        ints_at(head)[EVENTS] = 1
        return read_book(text, at, end, head, into)
    if kind == FACTS:
        return read_facts(text, at, end, head, into)
    return read_rows(text, at, end, head, into)


@compiled
def read_message(text: int, at: int, end: int, symbols: int, head: int, into: int) -> int:
    """Read one whole message; the place after it."""
    told, heads = bytes_at(text), ints_at(head)
    at = topic(text, at, end, symbols, head)
    sent_ns, matched_ns, kind, seen = 0, 0, 0, 0
    while at != ODD and at < end and told[at] == COMMA:
        key, at = key_end(text, at + 1, end)
        if at == ODD:
            return ODD
        bit = 0
        if key == K_DATA:
            at = read_data(text, at, end, head, into)
            bit = 1
        elif key == K_TS:
            sent_ns, at = stamp(text, at, end)
            bit = 2
        elif key == K_CTS:
            matched_ns, at = stamp(text, at, end)
            bit = 4
        elif key == K_TYPE:
            kind, at = word(text, at, end)
            bit = 8
        elif key == K_TOPIC:
            return ODD
        else:
            at = value_end(text, at, end)
        if at == ODD or seen & bit:
            return ODD
        seen |= bit
    if at == ODD or at != end - 1 or told[at] != CLOSE_OBJECT or seen & 3 != 3:
        return ODD
    # The matching time dates a book where it is sent: the time of sending moves even when the book is frozen.
    heads[EVENT_NS] = matched_ns if heads[KIND] == CHANGES and matched_ns else sent_ns
    return end if heads[KIND] != CHANGES or kind == W_DELTA else ODD


@compiled
def body_cells(head: int) -> int:
    """How many cells the body of a message takes."""
    heads = ints_at(head)
    kind, many = heads[KIND], heads[MANY]
    if kind == CHANGES:
        changed: int = LEVELS + 2 * (many + heads[MORE])
        return changed
    if kind == FACTS:
        return FIELDS
    row = TRADE if kind == TRADES else BAR if kind == BARS else LIQUIDATION
    count: int = many * row
    return count


@compiled
def read_messages(text: int, marks: int, count: int, symbols: int, heads: int, bodies: int) -> None:
    """Read messages one after another; those that are odd stay unread.

    Parameters
    ----------
    text
        Address of the messages, one behind the other.
    marks
        Address of the place after each message, then of the time of arrival of each.
    count
        Of messages.
    symbols, heads, bodies
        Addresses of cells.
    """
    places, at, body = ints_at(marks), 0, 0
    for number in range(count):
        head = heads + 8 * HEAD * number
        cells = ints_at(head)
        cells[RECEIVE_NS], cells[BODY] = places[count + number], body
        end = places[number]
        if read_message(text, at, end, symbols, head, bodies) == ODD:
            cells[KIND], cells[EVENTS] = UNREAD, 0
        else:
            body += body_cells(head)
        at = end


def read_block(
    category: Category, messages: Sequence[bytes], receive_ns: Sequence[int], symbols: SymbolTable
) -> EventBlock:
    """The messages as a block; unread are those that come seldom, that are odd, and all of inverse contracts.

    Parameters
    ----------
    category
        Of the socket.
    messages
        At least one.
    receive_ns
        When each arrived.
    symbols
        Instruments by symbol.
    """
    routes = symbols.routes(category)
    listed = routes.get(_KEY)
    if listed is None:
        listed = routes[_KEY] = Symbols(symbols, category)
    count, text = len(messages), b"".join(messages)
    heads = Cells(HEAD * count)
    # A level takes ten bytes and two cells, a trade sixty and eight; facts take fourteen however short they are.
    bodies = Cells(len(text) // 4 + FIELDS * count)
    if category != INVERSE:
        marks = Cells(2 * count)
        marks.put_ints(0, list(accumulate(map(len, messages))))
        marks.put_ints(count, list(receive_ns))
        read_messages(address_of(text), marks.at, count, listed.cells.at, heads.at, bodies.at)
    return EventBlock(listed.instruments, heads, bodies, text, count)
