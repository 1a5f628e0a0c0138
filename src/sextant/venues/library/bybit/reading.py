"""Kernels that read Bybit's messages into cells: changes of books, trades, facts, bars and liquidations.

Every reader takes the cells of a message's head, the first free cell of the bodies and where the message's text is, and gives the
place after what it read, or ``ODD``. What is read is what :mod:`sextant.venues.library.bybit.frames` would read of it, to the last bit.
"""

from __future__ import annotations

from typing import Final

from sextant.model.cells import bytes_at, compiled, digest, ints_at, plain_digest, reals_at
from sextant.model.event_block import (
    BLOCK,
    BODY,
    CLOSE,
    DIGEST,
    FINAL,
    HIGH,
    LEVELS,
    LOW,
    MANY,
    MORE,
    NAME_AT,
    NAME_BYTES,
    OPEN,
    OPEN_NS,
    PRICE,
    SIDE,
    SIZE,
    TIME_NS,
    TURNOVER,
    VOLUME,
)
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.bybit.scanning import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COMMA,
    ODD,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    key_end,
    quoted,
    text_end,
    value_end,
    whole,
    word_end,
)

LAST_MS: Final = 9_000_000_000_000
K_BIDS, K_ASKS, K_UPDATE = (plain_digest(key) for key in (b"b", b"a", b"u"))
K_TIME, K_SIDE, K_SIZE, K_PRICE, K_NAME, K_BLOCK = (
    plain_digest(key) for key in (b"T", b"S", b"v", b"p", b"i", b"BT")
)
K_START, K_OPEN, K_HIGH, K_LOW, K_CLOSE = (
    plain_digest(key) for key in (b"start", b"open", b"high", b"low", b"close")
)
K_VOLUME, K_TURNOVER, K_ENDED = (plain_digest(key) for key in (b"volume", b"turnover", b"confirm"))
TOLD_BY_BAR: Final = 255
W_BUY, W_SELL = (plain_digest(word) for word in (b"Buy", b"Sell"))


@compiled
def stamp(text: int, at: int, end: int) -> tuple[int, int]:
    """A time in nanoseconds, told in milliseconds."""
    number, at = whole(text, at, end)
    if at == ODD or not 0 < number < LAST_MS:
        return 0, ODD
    return number * MILLISECOND_NS, at


@compiled
def word(text: int, at: int, end: int) -> tuple[int, int]:
    """The digest of a text."""
    if at >= end or bytes_at(text)[at] != QUOTE:
        return 0, ODD
    close = text_end(text, at + 1, end)
    if close == ODD:
        return 0, ODD
    return digest(text + at + 1, close - at - 1), close + 1


@compiled
def truth(text: int, at: int, end: int) -> tuple[bool, int]:
    """True or false."""
    told = bytes_at(text)
    if at >= end or (told[at] != 116 and told[at] != 102):  # t and f
        return False, ODD
    return told[at] == 116, word_end(text, at, end)


@compiled
def levels(text: int, at: int, end: int, into: int, cell: int) -> tuple[int, int]:
    """Price and size of each level of one side; how many there are."""
    told, reals = bytes_at(text), reals_at(into)
    if at + 1 >= end or told[at] != OPEN_LIST:
        return 0, ODD
    at += 1
    if told[at] == CLOSE_LIST:
        return 0, at + 1
    count = 0
    while True:
        if at >= end or told[at] != OPEN_LIST:
            return 0, ODD
        price, at = quoted(text, at + 1, end)
        if at == ODD or at >= end or told[at] != COMMA or not price > 0.0:
            return 0, ODD
        size, at = quoted(text, at + 1, end)
        if at == ODD or at + 1 >= end or told[at] != CLOSE_LIST or not size >= 0.0:
            return 0, ODD
        reals[cell], reals[cell + 1] = price, size
        cell += 2
        count += 1
        if told[at + 1] == CLOSE_LIST:
            return count, at + 2
        if told[at + 1] != COMMA:
            return 0, ODD
        at += 2


@compiled
def read_book(text: int, at: int, end: int, head: int, into: int) -> int:
    """The data of a change: its number, its bids and then its asks."""
    heads, ints, told = ints_at(head), ints_at(into), bytes_at(text)
    body = heads[BODY]
    seen = 0
    sign = OPEN_OBJECT
    while at < end and told[at] == sign:
        sign = COMMA
        key, at = key_end(text, at + 1, end)
        if at == ODD:
            return ODD
        bit = 0
        if key == K_BIDS and seen & 2 == 0:
            heads[MANY], at = levels(text, at, end, into, body + LEVELS)
            bit = 1
        elif key == K_ASKS and seen & 1:
            heads[MORE], at = levels(text, at, end, into, body + LEVELS + 2 * heads[MANY])
            bit = 2
        elif key == K_UPDATE:
            ints[body], at = whole(text, at, end)
            bit = 4
        elif key in (K_ASKS, K_BIDS):
            return ODD
        else:
            at = value_end(text, at, end)
        if at == ODD or seen & bit:
            return ODD
        seen |= bit
    # Number 1 is a restart of the venue's service, and the whole book.
    if at >= end or told[at] != CLOSE_OBJECT or seen != 7 or ints[body] == 1:
        return ODD
    return at + 1


@compiled
def read_trade_field(text: int, at: int, end: int, key: int, into: int, row: int) -> tuple[int, int]:
    """One field of a trade or a liquidation; its bit, 0 where nobody reads it, and the place after it."""
    ints, reals = ints_at(into), reals_at(into)
    if key == K_TIME:
        ints[row + TIME_NS], at = stamp(text, at, end)
        return 1, at
    if key in (K_PRICE, K_SIZE):
        value, at = quoted(text, at, end)
        reals[row + (PRICE if key == K_PRICE else SIZE)] = value
        return (2 if key == K_PRICE else 4), (at if value > 0.0 else ODD)
    if key == K_SIDE:
        side, at = word(text, at, end)
        ints[row + SIDE] = 1 if side == W_BUY else -1
        return 8, (at if side in (W_BUY, W_SELL) else ODD)
    return 0, value_end(text, at, end)


@compiled
def read_trade(text: int, at: int, end: int, into: int, row: int, named: bool) -> int:
    """One trade, which has a name and says whether it was negotiated, or one liquidation, which has neither."""
    ints, told = ints_at(into), bytes_at(text)
    seen, block = 0, False
    sign = OPEN_OBJECT
    while at < end and told[at] == sign:
        sign = COMMA
        key, at = key_end(text, at + 1, end)
        if at == ODD:
            return ODD
        if named and key == K_NAME:
            first, bit = at + 1, 16
            ints[row + DIGEST], at = word(text, at, end)
            ints[row + NAME_AT], ints[row + NAME_BYTES] = first, at - 1 - first
        elif named and key == K_BLOCK:
            bit = 32
            block, at = truth(text, at, end)
        else:
            bit, at = read_trade_field(text, at, end, key, into, row)
        if at == ODD or seen & bit:
            return ODD
        seen |= bit
    if at >= end or told[at] != CLOSE_OBJECT or seen & 15 != 15 or (named and not seen & 16):
        return ODD
    if named:
        ints[row + BLOCK] = block
    return at + 1


@compiled
def read_bar(text: int, at: int, end: int, into: int, row: int) -> int:
    """One bar that a market can have traded."""
    ints, reals, told = ints_at(into), reals_at(into), bytes_at(text)
    seen = 0
    sign = OPEN_OBJECT
    while at < end and told[at] == sign:
        sign = COMMA
        key, at = key_end(text, at + 1, end)
        if at == ODD:
            return ODD
        place = 0
        for number, known in enumerate((K_OPEN, K_HIGH, K_LOW, K_CLOSE, K_VOLUME, K_TURNOVER)):
            if key == known:
                place = OPEN + number
        if place:
            reals[row + place], at = quoted(text, at, end)
        elif key == K_START:
            ints[row + OPEN_NS], at = stamp(text, at, end)
        elif key == K_ENDED:
            place = FINAL
            ints[row + FINAL], at = truth(text, at, end)
        else:
            at = value_end(text, at, end)
            if at == ODD:
                return ODD
            continue
        if at == ODD or seen >> place & 1:
            return ODD
        seen |= 1 << place
    low, high = reals[row + LOW], reals[row + HIGH]
    good = (
        0.0 < low <= reals[row + OPEN] <= high
        and low <= reals[row + CLOSE] <= high
        and reals[row + VOLUME] >= 0.0
        and reals[row + TURNOVER] >= 0.0
    )
    return at + 1 if at < end and told[at] == CLOSE_OBJECT and seen == TOLD_BY_BAR and good else ODD
