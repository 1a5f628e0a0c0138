from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest

from sextant.indicators.catalog import indicator
from sextant.indicators.contract import batch
from sextant.market.books import Book
from sextant.market.samples import NO_SAMPLES, Samples
from sextant.market.sampling import deep, near
from sextant.model.cells import Cells
from sextant.model.events import Level
from sextant.model.times import MINUTE_NS, SECOND_NS
from support.market import delta, snapshot
from support.sampled import PlainSamples

MINUTE = 29_000_000
START_NS = MINUTE * MINUTE_NS

BIDS = [(100.0 - step, 1.0) for step in range(12)]
ASKS = [(101.0 + step, 1.0) for step in range(12)]


Side = tuple[list[int], list[float]]
"""Keys and sizes, best first."""


def _read(bids: Side, asks: Side, tick: str) -> tuple[Cells, int, int, Book]:
    """Cells for sums, the addresses of the sides, and the book that holds them."""
    book = Book(Decimal(tick))
    for side, (keys, sizes) in zip(book.sides, (bids, asks), strict=True):
        side.restore(sorted(zip(keys, sizes, strict=True)))
    return Cells(8), book.sides[0].cells.at, book.sides[1].cells.at, book


def near_sample(bids: Side, asks: Side) -> Sequence[float]:
    """Of sides that may have fewer than five levels: the rest have no size."""
    keys = [
        [*side[0], *(side[0][-1] - at for at in range(1, 5))][: max(5, len(side[0]))] for side in (bids, asks)
    ]
    sizes = [[*side[1], *([0.0] * 4)][: max(5, len(side[1]))] for side in (bids, asks)]
    cells, bid, ask, _ = _read((keys[0], sizes[0]), (keys[1], sizes[1]), "1")
    near(bid, ask, cells.at, 1)
    return cells.reals[:4].tolist()


def deep_sample(bids: Side, asks: Side, tick: str) -> Sequence[float]:
    cells, bid, ask, _ = _read(bids, asks, tick)
    deep(bid, ask, cells.at, 1)
    return cells.reals[:5].tolist()


class Watched:
    """A book of whole ticks whose messages are sampled, as a desk does it."""

    def __init__(self) -> None:
        self.book = Book(Decimal(1))
        self.samples = Samples(self.book)
        self.sequence = 1

    def whole(self, second: float, bids: list[Level], asks: list[Level]) -> None:
        at_ns = START_NS + int(second * SECOND_NS)
        self.samples.before(at_ns)
        self.book.snapshot(snapshot(self.sequence, bids, asks, event_ns=at_ns))
        self.samples.begin()

    def change(self, second: float, bids: list[Level] | None = None, asks: list[Level] | None = None) -> None:
        at_ns = START_NS + int(second * SECOND_NS)
        self.sequence += 1
        self.samples.before(at_ns)
        self.book.delta(delta(self.sequence, bids or [], asks or [], event_ns=at_ns))

    def told(self) -> dict[str, float]:
        names = ("samples", "age", "spread", "touch", "top", "depth", "micro", "bids", "asks", "band", "walk")
        return dict(
            zip(
                (*names, "ofi_1", "ofi_5", "bids_gone", "asks_gone"), self.samples.minute(MINUTE), strict=True
            )
        )


def test_imbalance_and_micro_price_are_those_worked_by_hand() -> None:
    faded = deep_sample(([100, 99, 98], [4.0, 3.0, 2.0]), ([-101, -102, -103], [2.0, 2.0, 2.0]), "1")
    assert faded[0] == pytest.approx(0.2054317549, abs=1e-10)
    micro = near_sample(([100], [5.0]), ([-101], [4.0]))
    assert micro[3] == pytest.approx(0.055556, abs=1e-6)
    assert micro[0] == pytest.approx(1e4 / 100.5)


def test_bands_hold_the_notional_within_bps_of_the_middle() -> None:
    bids = ([10_000, 9_985, 9_975, 9_900], [1.0, 2.0, 4.0, 8.0])
    asks = ([-10_000 - 2, -10_030, -10_060, -10_100], [1.0, 2.0, 4.0, 8.0])
    told = deep_sample(bids, asks, "0.01")
    # Middle 100.01: 25 bps reach 99.76 and 100.26, 50 bps 99.51 and 100.51.
    assert told[1] == pytest.approx(100.0 + 2 * 99.85)
    assert told[2] == pytest.approx(100.02)
    far_bid, far_ask = 100.0 + 2 * 99.85 + 4 * 99.75, 100.02 + 2 * 100.30
    assert told[3] == pytest.approx((far_bid - far_ask) / (far_bid + far_ask))
    assert math.isnan(deep_sample(([10_000], [1.0]), asks, "0.01")[3])


def test_walk_tells_the_thinner_side() -> None:
    # 20 % of the asks' 1,010 quote units are 202: two asks at 101; two bids at 100 and 0.02 of the next.
    bids, asks = ([100, 99], [2.0, 10.0]), ([-101], [10.0])
    mid, notional = 100.5, 202.0
    sell = 1.0 - notional / (2.0 + 2.0 / 99.0) / mid
    buy = 101.0 / mid - 1.0
    assert deep_sample(bids, asks, "1")[4] == pytest.approx((buy - sell) / (buy + sell))


def test_a_sample_equals_the_indicators_of_the_same_row() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.uniform(0.1, 9.0, (2, 30))
    keys = [list(range(2_000, 1_970, -1)), [-key for key in range(2_001, 2_031)]]
    sides = (keys[0], sizes[0].tolist()), (keys[1], sizes[1].tolist())
    told = (*near_sample(*sides), *deep_sample(*sides, "0.5"))
    row = {
        f"{side}_size_{at}": np.full((1, 1), sizes[k, at])
        for k, side in enumerate(("bid", "ask"))
        for at in range(30)
    }
    row |= {"bid": np.full((1, 1), 1000.0), "ask": np.full((1, 1), 1000.5)}
    for place, name in (
        (0, "spread_bps"),
        (1, "touch_imbalance"),
        (2, "top_imbalance"),
        (4, "depth_imbalance"),
    ):
        chosen = indicator(name)
        [value] = batch(chosen, row, 0, chosen.values()).values()
        assert told[place] == pytest.approx(float(value[0, 0]), abs=1e-12)


def test_a_minute_has_a_sample_each_second_while_the_book_is_young() -> None:
    watched = Watched()
    watched.whole(-3.0, BIDS, ASKS)
    for second in range(30):
        watched.change(second + 0.5, [(100.0, 1.0 + second)])
    told = watched.told()
    # Seconds 0 to 29 were told within five seconds; the last change is at 29.5, so 30 to 34 are young as well.
    assert told["samples"] == 35
    assert told["age"] == 60 - 34
    sizes = [1.0, *(1.0 + second for second in range(29)), *([30.0] * 5)]
    assert told["touch"] == pytest.approx(sum((size - 1.0) / (size + 1.0) for size in sizes) / 35)
    assert watched.samples.minute(MINUTE) == pytest.approx(NO_SAMPLES, nan_ok=True)


def test_a_crossed_or_shallow_book_is_not_sampled() -> None:
    watched = Watched()
    watched.whole(-1.0, BIDS[:9], ASKS)
    watched.change(2.0, [(95.0, 2.0)])
    assert watched.told()["samples"] == 0


def test_flow_of_the_touch_is_that_worked_by_hand() -> None:
    watched = Watched()
    watched.whole(-0.5, [(100.0, 5.0), *BIDS[1:]], [(101.0, 4.0), (102.0, 6.0), *ASKS[2:]])
    watched.change(0.1, [(99.0, 1.0)])
    watched.change(1.1, [(100.0, 7.0)])
    watched.change(2.1, [(101.0, 3.0)], [(101.0, 0.0)])
    watched.change(2.2, [(101.0, 0.0), (100.0, 9.0)])
    watched.change(2.3, [(101.0, 3.0)])
    watched.change(3.1, [(101.0, 0.0), (100.0, 9.0)], [(102.0, 2.0)])
    # e 2, 7, 1 sum to 10; the depths are 4.5 on three samples and 5.5 on six, the last of them young until second 8.
    assert watched.told()["ofi_1"] == pytest.approx(10.0 / ((3 * 4.5 + 6 * 5.5) / 9))


def test_size_that_vanished_without_a_trade_was_withdrawn() -> None:
    watched = Watched()
    watched.whole(
        -0.5,
        [(10_000.0, 5.0), *((10_000.0 - step, 1.0) for step in range(1, 11))],
        [(10_001.0 + step, 1.0) for step in range(11)],
    )
    watched.change(1.5, [(10_000.0, 2.0)])
    watched.change(3.5, [(9_999.0, 2.0)])
    told = watched.told()
    assert told["bids_gone"] == pytest.approx(3.0 * 10_000.0)
    assert told["asks_gone"] == 0.0


def test_what_was_traded_or_came_back_at_once_was_not_withdrawn() -> None:
    deep = [(10_000.0, 5.0), *((10_000.0 - step, 1.0) for step in range(1, 11))]
    watched = Watched()
    watched.whole(-0.5, deep, [(10_001.0 + step, 1.0) for step in range(11)])
    watched.change(0.2, [(9_990.0, 2.0)])
    watched.samples.trade(10_000.0, 2.0, -1)
    watched.change(1.5, [(10_000.0, 2.0)])
    watched.change(3.5, [(9_999.0, 2.0)])
    # Two of the three were traded before the size was seen to be gone; one was pulled.
    assert watched.told()["bids_gone"] == pytest.approx(10_000.0)
    again = Watched()
    again.whole(-0.5, deep, [(10_001.0 + step, 1.0) for step in range(11)])
    again.change(0.2, [(9_990.0, 2.0)])
    again.samples.before(START_NS + int(1.1 * SECOND_NS))
    again.samples.trade(10_000.0, 2.0, -1)
    again.change(1.5, [(10_000.0, 2.0)])
    again.change(2.5, [(10_000.0, 4.0)])
    again.change(4.5, [(9_999.0, 2.0)])
    assert again.told()["bids_gone"] == 0.0


def test_a_resync_begins_the_flow_anew() -> None:
    watched = Watched()
    watched.whole(-0.5, BIDS, ASKS)
    watched.change(1.1, [(100.0, 7.0)])
    watched.sequence += 1
    watched.whole(2.0, [(100.0, 3.0), *BIDS[1:]], ASKS)
    watched.change(3.5, [(100.0, 4.0)])
    # One unit came to a touch of depth 2 on one sample and 2.5 on five.
    assert watched.told()["ofi_1"] == pytest.approx(1.0 / ((2.0 + 5 * 2.5) / 6))


def test_samples_go_on_from_their_content() -> None:
    first, second = Watched(), Watched()
    first.whole(-0.5, BIDS, ASKS)
    first.samples.trade(100.0, 0.5, -1)
    for at in range(6):
        first.change(at + 0.5, [(100.0, 2.0 + at)])
    second.book.restore(first.book.content())
    second.samples.restore(first.samples.content())
    second.sequence = first.sequence
    for watched in (first, second):
        watched.change(7.5, [(100.0, 0.5)])
        watched.change(9.5, [(99.0, 0.5)])
    assert second.samples.content() == first.samples.content()
    assert second.told() == pytest.approx(first.told(), nan_ok=True)


def test_a_trade_whose_size_was_refilled_hides_no_later_withdrawal() -> None:
    watched = Watched()
    deep = [(10_000.0, 5.0), *((10_000.0 - step, 1.0) for step in range(1, 11))]
    watched.whole(-0.5, deep, [(10_001.0 + step, 1.0) for step in range(11)])
    watched.change(0.2, [(9_990.0, 2.0)])
    watched.samples.trade(10_000.0, 2.0, -1)  # refilled before anybody saw it
    for second in (1.5, 2.5, 3.5):
        watched.change(second, [(9_990.0, 2.0 + second)])
    watched.change(4.5, [(10_000.0, 2.0)])
    watched.change(6.5, [(9_990.0, 3.0)])
    assert watched.told()["bids_gone"] == pytest.approx(3.0 * 10_000.0)


@pytest.mark.parametrize("seed", range(6))
def test_samples_equal_those_of_lists_and_dictionaries(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # seeded, not secret
    watched = Watched()
    plain = PlainSamples(watched.book)
    second = -5.0
    watched.whole(second, _some(chance, 20_000, -1), _some(chance, 20_001, 1))
    plain.before(START_NS + int(second * SECOND_NS))
    plain.begin()
    for _ in range(900):
        second += chance.choice((0.05, 0.2, 0.4, 1.1, 1.1, 7.0 if chance.random() < 0.02 else 0.3))
        if chance.random() < 0.4:
            price, size, sign = (
                20_000.0 + chance.randrange(-4, 6),
                chance.choice((0.5, 1.0, 2.5)),
                chance.choice((-1, 1)),
            )
            for samples in (watched.samples, plain):
                samples.trade(price, size, sign)
            continue
        plain.before(START_NS + int(second * SECOND_NS))
        if chance.random() < 0.01:
            watched.sequence += 1
            watched.whole(second, _some(chance, 20_000, -1), _some(chance, 20_001, 1))
            plain.begin()
        else:
            watched.change(second, _some(chance, 20_000, -1, 3), _some(chance, 20_001, 1, 3))
    rows = [watched.samples.minute(minute) for minute in range(MINUTE - 1, MINUTE + int(second) // 60 + 1)]
    plain_rows = [plain.minute(minute) for minute in range(MINUTE - 1, MINUTE + int(second) // 60 + 1)]
    for row, plain_row in zip(rows, plain_rows, strict=True):
        assert row == pytest.approx(plain_row, rel=0, abs=0, nan_ok=True)
    assert np.nansum([row[0] for row in rows]) > 200
    assert min(np.nansum([row[13:] for row in rows], axis=0)) > 0


def _some(chance: random.Random, best: int, step: int, most: int = 0) -> list[Level]:
    """A whole side, or changes of it."""
    if not most:
        return [(float(best + step * at), chance.choice((0.5, 1.0, 3.0))) for at in range(40)]
    return [
        (float(best + step * int(chance.expovariate(0.3))), chance.choice((0.5, 1.0, 2.0, 3.0, 0.0)))
        for _ in range(chance.randrange(most + 1))
    ]
