from __future__ import annotations

from decimal import Decimal

from sextant.market import sampling
from sextant.market.books import Book
from sextant.market.sample_cells import HELD, LAST, MINUTE, NEXT, NEXT_NS, SAMPLES_CELLS
from sextant.model.cells import Cells
from sextant.model.times import SECOND_NS
from support.market import delta, snapshot

BEGUN_S = 60 * 100


def _plain() -> tuple[Book, Cells]:
    book = Book(Decimal(1))
    sides = [(100.0 - at, 1.0) for at in range(12)], [(101.0 + at, 1.0) for at in range(12)]
    book.snapshot(snapshot(1, *sides, event_ns=BEGUN_S * SECOND_NS))
    book.delta(delta(2, [(100.0, 2.0)], event_ns=BEGUN_S * SECOND_NS + 1))
    samples = Cells(SAMPLES_CELLS)
    samples.ints[MINUTE], samples.ints[NEXT], samples.ints[NEXT_NS] = (
        100,
        BEGUN_S + 1,
        (BEGUN_S + 1) * SECOND_NS,
    )
    return book, samples


def test_a_plain_book_is_sampled_up_to_the_second_of_a_message() -> None:
    book, samples = _plain()
    assert sampling.sample_before(samples.at, book.cells.at, (BEGUN_S + 1) * SECOND_NS - 1)
    assert samples.ints[LAST] == 0
    assert sampling.sample_before(samples.at, book.cells.at, (BEGUN_S + 3) * SECOND_NS)
    assert (samples.ints[LAST], samples.ints[NEXT], samples.ints[HELD]) == (BEGUN_S + 3, BEGUN_S + 4, 1)
    assert samples.ints[NEXT_NS] == (BEGUN_S + 4) * SECOND_NS


def test_another_minute_and_a_book_that_waits_are_left_to_who_looks_twice() -> None:
    book, samples = _plain()
    assert not sampling.sample_before(samples.at, book.cells.at, (BEGUN_S + 60) * SECOND_NS)
    book.invalidate("gap", 5)
    assert not sampling.sample_before(samples.at, book.cells.at, (BEGUN_S + 3) * SECOND_NS)
    assert samples.ints[NEXT] == BEGUN_S + 1
