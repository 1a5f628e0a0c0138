from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.book_watch import BookWatch, against_usd, walls
from sextant.confluence.detectors import Depth, Seen, wall_usd
from sextant.model.bar import Floats
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS, Books, MinuteFrame, TradeTape, View
from support.views import empty_view

LEVELS = 50
START_NS = 1_700_000_000 * SECOND_NS


def ladder(bids: dict[int, float], asks: dict[int, float], mid: float = 1_000.0) -> list[Floats]:
    """A side has 50 levels a tenth apart, of size 10 but for those given by number."""
    steps = np.arange(LEVELS) * 0.1 + 0.05
    sizes = [np.full(LEVELS, 10.0), np.full(LEVELS, 10.0)]
    for side, changes in zip(sizes, (bids, asks), strict=True):
        for level, size in changes.items():
            side[level] = size
    return [mid - steps, sizes[0], mid + steps, sizes[1]]


def view_of(
    second: float,
    bids: dict[int, float] | None = None,
    asks: dict[int, float] | None = None,
    *,
    mid: float = 1_000.0,
    turnover: float = 1e6,
    valid: bool = True,
) -> View:
    """One instrument at a second, whose book is as given."""
    view = empty_view("BTC")
    bid_price, bid_size, ask_price, ask_size = ladder(bids or {}, asks or {}, mid)
    # A level of no size is not in the book.
    bid_price, ask_price = (
        np.where(size > 0, price, np.nan) for price, size in ((bid_price, bid_size), (ask_price, ask_size))
    )
    books = Books(
        bid_price[None],
        np.where(bid_size > 0, bid_size, np.nan)[None],
        ask_price[None],
        np.where(ask_size > 0, ask_size, np.nan)[None],
        np.array([valid]),
        np.array([START_NS]),
    )
    facts = replace(view.derivatives, turnover_24h=np.array([turnover]))
    return replace(view, as_of_ns=START_NS + int(second * SECOND_NS), books=books, derivatives=facts)


WALL = {7: 400.0, 8: 400.0, 20: 400.0, 30: 400.0}
"""1.6 million of the 2.06 of its side."""


def test_walls_of_all_books_are_those_of_one() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        sizes = rng.choice([10.0, 30.0, 400.0, 600.0], (2, LEVELS), p=[0.6, 0.25, 0.1, 0.05])
        known = dict(enumerate(sizes[0].tolist())), dict(enumerate((sizes[1] / 3.0).tolist()))
        turnover = float(rng.choice([1e6, 5e7, 5e8]))
        view = view_of(0, *known, turnover=turnover)
        one = view.books
        depth = Depth(one.bid_price[0], one.bid_size[0], one.ask_price[0], one.ask_size[0], turnover)
        expected = [wall_usd(depth, 1), wall_usd(depth, -1)]
        np.testing.assert_allclose(walls(one, np.array([turnover]))[:, 0], expected, rtol=1e-12)


def test_a_book_that_is_not_believed_has_no_wall() -> None:
    assert walls(view_of(0, WALL).books, np.array([1e6]))[0, 0] == pytest.approx(1.6e6, rel=0.01)
    assert walls(view_of(0, WALL, valid=False).books, np.array([1e6])).tolist() == [[0.0], [0.0]]


def opened(seen: list[Seen], kind: str) -> list[str]:
    return [one.cause for one in seen if one.kind == kind and one.opens]


def test_a_wall_opens_on_its_thirtieth_sample_and_not_before() -> None:
    watch = BookWatch()
    for second in range(29):
        watch.take(view_of(second, WALL))
    assert opened(watch.seen(view_of(28, WALL)), "whale_book") == []
    watch.take(view_of(29, WALL))
    assert opened(watch.seen(view_of(29, WALL)), "whale_book") == ["bids"]
    for second in range(30, 60):
        watch.take(view_of(second))
    assert [one for one in watch.seen(view_of(59)) if one.kind == "whale_book"] == []


def test_trades_against_a_wall_are_those_of_the_other_takers() -> None:
    view = view_of(0)
    part = np.zeros((len(MINUTE_FIELDS), 40, 1), dtype=np.float32)
    part[MINUTE_FIELDS.index("sell_turnover")] = 2.0
    part[MINUTE_FIELDS.index("buy_turnover"), -1] = 5.0
    frame = MinuteFrame(np.arange(40) * MINUTE_NS, (part,), bytes(16 * 40))
    assert against_usd(replace(view, minutes=frame), 0) == {1: 60.0, -1: 5.0}
    assert against_usd(view, 0) == {}


BAIT = {25: 60.0}
"""Six times the usual size, 25.5 bps below the middle."""


def shown(watch: BookWatch, at: float, *, leaves: View, asks: dict[int, float] | None = None) -> None:
    """A bait is shown for five seconds and is gone in what comes then."""
    watch.take(view_of(at, BAIT, asks))
    watch.take(view_of(at + 5, BAIT, asks))
    watch.take(leaves)


def suspected(watch: BookWatch, at: float) -> list[str]:
    return opened(watch.seen(view_of(at)), "spoof_suspected")


def test_three_baits_that_left_while_the_middle_rose_are_suspected() -> None:
    watch = BookWatch()
    watch.take(view_of(-1))
    for turn in range(3):
        assert suspected(watch, 20.0 * turn) == []
        shown(watch, 20.0 * turn, leaves=view_of(20.0 * turn + 6, mid=1_000.1))
    assert suspected(watch, 60) == ["bids"]
    assert suspected(watch, 6 + 600) == ["bids"]
    assert suspected(watch, 46 + 601) == []  # ten minutes quiet


@pytest.mark.parametrize(
    "leaves",
    [
        view_of(6, mid=999.9),  # the middle came nearer
        view_of(6, {26: 30.0}, mid=1_000.1),  # half of it is still there
        view_of(6, mid=1_000.1, valid=False),  # nobody knows what became of it
        view_of(40, mid=1_000.1),  # it stood for forty seconds
        view_of(6, mid=1_010.0),  # the visible book ends above it
    ],
)
def test_a_level_that_may_be_honest_is_not_suspected(leaves: View) -> None:
    watch = BookWatch()
    watch.take(view_of(-1))
    late = (leaves.as_of_ns - START_NS) / SECOND_NS
    for turn in range(3):
        shift = turn * 60
        again = replace(leaves, as_of_ns=START_NS + int((late + shift) * SECOND_NS))
        shown(watch, shift, leaves=again)
        watch.take(view_of(late + shift + 1))
    assert suspected(watch, 180) == []


def test_a_level_that_was_traded_is_no_bait() -> None:
    watch = BookWatch()
    watch.take(view_of(-1))
    for turn in range(3):
        at = 20.0 * turn
        gone = view_of(at + 6, mid=1_000.1)
        [name] = [spec.instrument for spec in gone.instruments]
        price = 1_000.0 - 2.55
        tape = TradeTape(
            np.array([gone.as_of_ns - SECOND_NS]), np.array([price]), np.array([7.0]), np.array([-1.0])
        )
        shown(watch, at, leaves=replace(gone, trades={name: tape}))
    assert suspected(watch, 60) == []


def test_a_level_that_was_there_when_it_came_into_sight_may_be_old() -> None:
    watch = BookWatch()
    shown(watch, 0, leaves=view_of(6, mid=1_000.1))  # there at the first sample
    for turn in (1, 2):
        at = 20.0 * turn
        watch.take(view_of(at, dict.fromkeys(range(20, LEVELS), 0.0)))  # the visible book ends before it
        shown(watch, at + 1, leaves=view_of(at + 7, mid=1_000.1))
    assert watch.seen(view_of(60)) == []


def test_another_set_of_instruments_begins_anew() -> None:
    watch = BookWatch()
    for second in range(29):
        watch.take(view_of(second, WALL))
    other = view_of(29, WALL)
    watch.take(replace(other, instruments=empty_view("ETH").instruments))
    assert opened(watch.seen(replace(other, instruments=empty_view("ETH").instruments)), "whale_book") == []
