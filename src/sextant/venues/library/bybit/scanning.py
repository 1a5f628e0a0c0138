"""Kernels that scan JSON as Bybit writes it: without blanks, escapes or letters beyond ASCII; anything else is odd.

A scan takes the place where it begins and gives the place after it, or ``ODD`` where the text is not as expected; an odd message
is read by the ordinary reader, which knows all of JSON.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.model.cells import bytes_at, compiled, digest

ODD: Final = -1
QUOTE, COMMA, COLON, POINT, MINUS = (ord(sign) for sign in '",:.-')
OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = (ord(sign) for sign in "[]{}")
ZERO, NINE, BACKSLASH = (ord(sign) for sign in "09\\")
_FIRST, _LAST = 0x20, 0x7F
_TRUE, _FALSE, _NULL = (np.frombuffer(word, dtype=np.uint8) for word in (b"true", b"false", b"null"))
MOST_EXACT: Final = 2**53
"""Whole numbers up to here are float64 numbers."""
MOST_DECIMALS: Final = 22
_TENS: Final = np.array([float(10**power) for power in range(MOST_DECIMALS + 1)])
"""Powers of ten that are float64 numbers, so that one division rounds as the nearest float64 to the text."""
MOST_DIGITS: Final = 18


@compiled
def text_end(text: int, at: int, end: int) -> int:
    """The place of the quotation mark that ends a text."""
    told = bytes_at(text)
    while at < end:
        byte = told[at]
        if byte == QUOTE:
            return at
        if byte < _FIRST or byte >= _LAST or byte == BACKSLASH:
            return ODD
        at += 1
    return ODD


@compiled
def word_end(text: int, at: int, end: int) -> int:
    """The place after true, false or null."""
    told = bytes_at(text)
    for word in (_TRUE, _FALSE, _NULL):
        if at + len(word) <= end and told[at] == word[0]:
            for place in range(len(word)):
                if told[at + place] != word[place]:
                    return ODD
            return at + len(word)
    return ODD


@compiled
def key_end(text: int, at: int, end: int) -> tuple[int, int]:
    """The digest of a key, and the place of its value."""
    told = bytes_at(text)
    if at >= end or told[at] != QUOTE:
        return 0, ODD
    close = text_end(text, at + 1, end)
    if close == ODD or close + 2 >= end or told[close + 1] != COLON:
        return 0, ODD
    return digest(text + at + 1, close - at - 1), close + 2


@compiled
def whole(text: int, at: int, end: int) -> tuple[int, int]:
    """A number of digits alone."""
    told = bytes_at(text)
    first, number = at, 0
    while at < end and ZERO <= told[at] <= NINE:
        number = number * 10 + (told[at] - ZERO)
        at += 1
    count = at - first
    if count == 0 or count > MOST_DIGITS or (told[first] == ZERO and count > 1):
        return 0, ODD
    return number, at


@compiled
def decimal(text: int, at: int, end: int) -> tuple[float, int]:
    """The float64 nearest to a number of digits, perhaps with a point and a minus; those of more digits are odd."""
    told = bytes_at(text)
    negative = at < end and told[at] == MINUS
    if negative:
        at += 1
    first, digits, decimals = at, 0, 0
    while at < end and ZERO <= told[at] <= NINE:
        digits = digits * 10 + (told[at] - ZERO)
        at += 1
    before = at - first
    if before == 0 or before > MOST_DIGITS or (told[first] == ZERO and before > 1):
        return 0.0, ODD
    if at < end and told[at] == POINT:
        at += 1
        point = at
        while at < end and ZERO <= told[at] <= NINE:
            digits = digits * 10 + (told[at] - ZERO)
            at += 1
        decimals = at - point
        if decimals == 0:
            return 0.0, ODD
    if before + decimals > MOST_DIGITS or digits > MOST_EXACT or (negative and digits == 0):
        return 0.0, ODD
    value = digits / _TENS[decimals]
    return (-value if negative else value), at


@compiled
def quoted(text: int, at: int, end: int) -> tuple[float, int]:
    """A number in quotation marks."""
    told = bytes_at(text)
    if at >= end or told[at] != QUOTE:
        return 0.0, ODD
    value, at = decimal(text, at + 1, end)
    if at == ODD or at >= end or told[at] != QUOTE:
        return 0.0, ODD
    return value, at + 1


@compiled
def value_end(text: int, at: int, end: int) -> int:
    """The place after a value that nobody reads: a text, a number or a word."""
    if at >= end:
        return ODD
    byte = bytes_at(text)[at]
    if byte == QUOTE:
        close = text_end(text, at + 1, end)
        return ODD if close == ODD else close + 1
    if byte == MINUS or ZERO <= byte <= NINE:
        _, after = decimal(text, at, end)
        return after
    return word_end(text, at, end)
