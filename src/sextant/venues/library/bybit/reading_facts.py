"""The kernel that reads the facts of an instrument, which Bybit tells field by field."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.model.cells import bytes_at, compiled, ints_at, plain_digest, reals_at
from sextant.model.event_block import (
    BODY,
    EVENTS,
    FUNDING_INTERVAL_S,
    MANY,
    MORE,
    NEXT_FUNDING_NS,
    SIDES,
)
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.bybit.scanning import (
    CLOSE_OBJECT,
    COMMA,
    ODD,
    OPEN_OBJECT,
    QUOTE,
    key_end,
    quoted,
    value_end,
    whole,
)

LAST_MS: Final = 9_000_000_000_000
MOST_HOURS: Final = 10**12
HOUR_S: Final = 3_600

NAMES: Final = (
    "bid1Price",
    "bid1Size",
    "ask1Price",
    "ask1Size",
    "lastPrice",
    "volume24h",
    "turnover24h",
    "price24hPcnt",
    "markPrice",
    "indexPrice",
    "fundingRate",
    "fundingIntervalHour",
    "nextFundingTime",
    "singleOpenInterest",
    "openInterest",
)
"""Bybit's names of the fields of a block of facts in their order; the last is both sides of the one before."""
_KEYS: Final = np.array([plain_digest(name.encode()) for name in NAMES])
_SINGLE: Final = NAMES.index("singleOpenInterest")
_BOTH: Final = NAMES.index("openInterest")
_LEAST: Final = np.array([-1.0 if name in ("price24hPcnt", "fundingRate") else 0.0 for name in NAMES])
_MOST: Final = np.array([1.0 if name == "fundingRate" else 1e18 for name in NAMES])
_PRICES: Final = np.array([name.endswith("Price") for name in NAMES])


@compiled
def quoted_whole(text: int, at: int, end: int) -> tuple[int, int]:
    """A whole number in quotation marks."""
    told = bytes_at(text)
    value, at = whole(text, at + 1, end)
    if at == ODD or at >= end or told[at] != QUOTE:
        return 0, ODD
    return value, at + 1


@compiled
def read_field(text: int, at: int, end: int, field: int, into: int, cell: int) -> tuple[bool, int]:
    """Whether a field has a number, which its cell gets; the empty text says that it does not apply, and so does 0 of a price."""
    told = bytes_at(text)
    if at + 1 >= end or told[at] != QUOTE:
        return False, ODD
    if told[at + 1] == QUOTE:
        return False, at + 2
    if field in (FUNDING_INTERVAL_S, NEXT_FUNDING_NS):
        number, at = quoted_whole(text, at, end)
        most, unit = (MOST_HOURS, HOUR_S) if field == FUNDING_INTERVAL_S else (LAST_MS, MILLISECOND_NS)
        if at == ODD or number >= most:
            return False, ODD
        ints_at(into)[cell + field] = number * unit
        return number > 0, at
    value, at = quoted(text, at, end)
    if at == ODD or not _LEAST[field] <= value <= _MOST[field]:
        return False, ODD
    reals_at(into)[cell + min(field, _SINGLE)] = value / 2.0 if field == _BOTH else value
    return value != 0.0 or not _PRICES[field], at


@compiled
def place_of(key: int) -> int:
    """The field of a key; -1 of any other."""
    for field in range(len(_KEYS)):
        if _KEYS[field] == key:
            return field
    return -1


@compiled
def read_facts(text: int, at: int, end: int, head: int, into: int) -> int:
    """The data of facts: which fields are told, which of them do not apply, and the numbers of the others.

    Notes
    -----
    Open interest is one side: the field that says so where it is told, else half of the one that sums both.
    """
    heads, told = ints_at(head), bytes_at(text)
    told_bits, none_bits, single = 0, 0, 0.0
    sign = OPEN_OBJECT
    while at < end and told[at] == sign:
        sign = COMMA
        key, at = key_end(text, at + 1, end)
        if at == ODD:
            return ODD
        field = place_of(key)
        if field < 0:
            at = value_end(text, at, end)
            if at == ODD:
                return ODD
            continue
        if told_bits >> field & 1:
            return ODD
        known, at = read_field(text, at, end, field, into, heads[BODY])
        if at == ODD:
            return ODD
        if field == _SINGLE:
            single = reals_at(into)[heads[BODY] + _SINGLE]
        elif field == _BOTH and told_bits >> _SINGLE & 1:
            reals_at(into)[heads[BODY] + _SINGLE] = single
        told_bits |= 1 << field
        none_bits |= (not known) << field
    if at >= end or told[at] != CLOSE_OBJECT or not told_bits:
        return ODD
    if told_bits >> _BOTH & 1 and not told_bits >> _SINGLE & 1:
        told_bits |= 1 << _SINGLE
        none_bits |= (none_bits >> _BOTH & 1) << _SINGLE
    heads[MANY], heads[MORE] = told_bits & ((1 << _BOTH) - 1), none_bits & ((1 << _BOTH) - 1)
    heads[EVENTS] = (heads[MANY] & ((1 << SIDES) - 1) != 0) + (heads[MANY] >> SIDES != 0)
    return at + 1
