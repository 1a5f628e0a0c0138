"""Kernels that apply blocks of events to desks, as long as nothing about a message needs a second look."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.market.derivatives import INTEREST_PLACE, TIMES, are_newest, take_facts
from sextant.market.desk_cells import (
    BOOK,
    BOOK_PULSE,
    CHANGED,
    FACTS_PULSE,
    FLOW,
    GRID_NS,
    KNOWN,
    NAMES,
    QUOTE,
    QUOTE_PULSE,
    SAMPLES,
    SUMS,
    TRADES_PULSE,
)
from sextant.market.flow import add, continues
from sextant.market.freshness import beat, in_turn
from sextant.market.levels import BIDS, PLAIN, SEQUENCE, TICK, change
from sextant.market.minute_sums import DUE_NS, SIZES, add_trade, is_open
from sextant.market.names import has_room, known, note
from sextant.market.quotes import QUOTED_NS, take_quote
from sextant.market.sample_cells import NEXT_NS
from sextant.market.sampling import sample_before
from sextant.market.sizes import count_at, place_of
from sextant.market.withdrawing import note_trade
from sextant.model.cells import compiled, ints_at, reals_at
from sextant.model.event_block import (
    BLOCK,
    BODY,
    CHANGES,
    DIGEST,
    EVENT_NS,
    FACTS,
    HEAD,
    KIND,
    LEVELS,
    MANY,
    MORE,
    PRICE,
    RECEIVE_NS,
    SIDE,
    SIDES,
    SIZE,
    TIME_NS,
    TRADE,
    TRADES,
    WHOSE,
)

CHANGES_SEEN, QUOTES_SEEN, FACTS_SEEN, TRADES_SEEN, AT_TRADE = range(5)
SEEN_CELLS: Final = 5
"""How many events of each type were applied; then which trade of a message is next, 0 between messages."""


@compiled
def apply_change(desk: int, head: int, bodies: int) -> bool:
    """Whether a change of a book was applied: one that continues a plain book and leaves it plain, in the minute begun."""
    parts, told = ints_at(desk), ints_at(head)
    book, event_ns = ints_at(parts[BOOK]), told[EVENT_NS]
    body = bodies + 8 * told[BODY]
    sequence = ints_at(body)[0]
    if not book[PLAIN] or sequence != book[SEQUENCE] + 1 or not in_turn(parts[BOOK_PULSE], event_ns):
        return False
    if parts[SAMPLES]:
        overdue = event_ns >= ints_at(parts[SAMPLES])[NEXT_NS] and event_ns >= ints_at(parts[SUMS])[DUE_NS]
        if overdue or not sample_before(parts[SAMPLES], parts[BOOK], event_ns):
            return False
    if not change(parts[BOOK], sequence, event_ns, body + 8 * LEVELS, told[MANY], told[MORE]):
        return False
    beat(parts[BOOK_PULSE], event_ns, told[RECEIVE_NS])
    return True


@compiled
def apply_facts(desk: int, head: int, bodies: int, seen: int) -> bool:
    """Whether facts were applied: those that nothing known is newer than, and that no point of the open interest falls before."""
    parts, told, event_ns = ints_at(desk), ints_at(head), ints_at(head)[EVENT_NS]
    of_quote, of_facts = told[MANY] & ((1 << SIDES) - 1), told[MANY] >> SIDES
    if of_quote and (
        event_ns < ints_at(parts[QUOTE])[QUOTED_NS] or not in_turn(parts[QUOTE_PULSE], event_ns)
    ):
        return False
    if of_facts:
        if not in_turn(parts[FACTS_PULSE], event_ns) or not are_newest(parts[KNOWN], event_ns, of_facts):
            return False
        told_ns = ints_at(parts[KNOWN])[TIMES + INTEREST_PLACE]
        if of_facts >> INTEREST_PLACE & 1 and told_ns <= event_ns - event_ns % GRID_NS:
            return False
    body = bodies + 8 * told[BODY]
    if of_quote:
        take_quote(parts[QUOTE], event_ns, body, of_quote, told[MORE])
        beat(parts[QUOTE_PULSE], event_ns, told[RECEIVE_NS])
        ints_at(seen)[QUOTES_SEEN] += 1
    if of_facts:
        take_facts(parts[KNOWN], event_ns, body, of_facts, told[MORE] >> SIDES)
        beat(parts[FACTS_PULSE], event_ns, told[RECEIVE_NS])
        ints_at(seen)[FACTS_SEEN] += 1
    return True


@compiled
def apply_trade(desk: int, row: int, receive_ns: int) -> bool:
    """Whether a trade was applied: the newest, of a name not known, in the minute begun."""
    parts, told, numbers = ints_at(desk), ints_at(row), reals_at(row)
    event_ns, price, size, sign = told[TIME_NS], numbers[PRICE], numbers[SIZE], told[SIDE]
    names, sums, samples = parts[NAMES], parts[SUMS], parts[SAMPLES]
    if told[BLOCK] or not sums or not in_turn(parts[TRADES_PULSE], event_ns) or not is_open(sums, event_ns):
        return False
    usd = price * size
    place = place_of(ints_at(sums)[SIZES], event_ns, usd)
    if place < 0 or not continues(parts[FLOW], event_ns) or not has_room(names) or known(names, told[DIGEST]):
        return False
    note(names, told[DIGEST])
    add(parts[FLOW], event_ns, price, size, sign)
    ticks = np.int64(np.rint(price / reals_at(ints_at(parts[BOOK])[BIDS])[TICK]))
    note_trade(samples, 1 if sign > 0 else 0, int(-ticks if sign > 0 else ticks), size)
    add_trade(sums, usd, size, sign, count_at(ints_at(sums)[SIZES], place, usd))
    beat(parts[TRADES_PULSE], event_ns, receive_ns)
    return True


@compiled
def apply_trades(desk: int, head: int, bodies: int, seen: int) -> bool:
    """Whether all trades of a message were applied, from the one on that is told among the counts; else it is there told which was not."""
    told, counts = ints_at(head), ints_at(seen)
    while counts[AT_TRADE] < told[MANY]:
        row = bodies + 8 * (told[BODY] + TRADE * counts[AT_TRADE])
        if not apply_trade(desk, row, told[RECEIVE_NS]):
            return False
        counts[AT_TRADE] += 1
        counts[TRADES_SEEN] += 1
        ints_at(desk)[CHANGED] = 1
    counts[AT_TRADE] = 0
    return True


@compiled
def apply_message(desk: int, head: int, bodies: int, seen: int) -> bool:
    """Whether a message was applied."""
    kind = ints_at(head)[KIND]
    if kind == CHANGES:
        applied = apply_change(desk, head, bodies)
        ints_at(seen)[CHANGES_SEEN] += applied
        return applied
    if kind == FACTS:
        return apply_facts(desk, head, bodies, seen)
    return apply_trades(desk, head, bodies, seen) if kind == TRADES else False


@compiled
def apply_messages(desks: int, heads: int, bodies: int, first: int, last: int, seen: int) -> int:
    """The first message that needs a second look, after those before it were applied; ``last`` where none does.

    Parameters
    ----------
    desks
        Address of the addresses of desks by number of the instrument; 0 where there is none.
    heads, bodies
        Addresses of the cells of a block.
    first, last
        Which messages, the last one not.
    seen
        Address of the counts of applied events.
    """
    for at in range(first, last):
        head = heads + 8 * HEAD * at
        told = ints_at(head)
        desk = ints_at(desks)[told[WHOSE]]
        if desk == 0:
            return at
        if not apply_message(desk, head, bodies, seen):
            return at
        ints_at(desk)[CHANGED] = 1
    return last
