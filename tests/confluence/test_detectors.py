from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.detectors import (
    BREAK,
    GROWTH,
    Depth,
    FactBook,
    Print,
    Resting,
    Seen,
    at_least,
    levels_near,
    leverage_build,
    readings,
    spoofs_suspected,
    structure_breaks,
    volume_spike,
    wall_usd,
    wash_pairs,
    wash_suspected,
    whale_book,
    whale_trades,
)
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import Column, Frame, Node, Rolled, read
from sextant.confluence.scorer import Evaluation
from sextant.model.instrument import Instrument
from support.lively import found

S = 1_000_000_000
NAME = Instrument("bybit", "ADA", "USDT", "perpetual")
CLOSE = Column("close")


def given(frame: Frame, **values: float) -> Evaluation:
    """The lively evaluation with some newest values of one frame changed for its first instrument."""
    nodes: dict[str, Node] = {
        "close": CLOSE,
        "close_4h": Rolled("lag", CLOSE, 48),
        "volume": read("relative_volume"),
        "event": BREAK,
        "f8": read("funding", "f8"),
        "growth": GROWTH,
        **{name: node for name, node in LEVELS["5m"].items() if name not in ("close_4h", "break")},
    }
    kept = dict(found().values.get(frame, {}))
    for name, value in values.items():
        kept[nodes[name]] = np.full((1, 12), value)
    return replace(found(), values={**found().values, frame: kept})


def seen(kind: str = "volume_spike", **changes: object) -> Seen:
    return replace(Seen(kind, NAME, "5m", 2.0, True, False), **changes)  # type: ignore[arg-type]  # as a test needs


def test_fact_opens_once_is_counted_and_closes() -> None:
    book = FactBook()
    [fact] = book.update([seen()], 10 * S)
    assert (fact.since_ns, fact.count, fact.peak) == (10 * S, 1, 2.0)
    assert book.update([seen(value=5.0)], 20 * S) == ()
    [open_] = book.of(NAME)
    assert (open_.count, open_.peak, open_.since_ns) == (2, 5.0, 10 * S)
    assert book.update([seen(opens=False, value=1.6)], 30 * S) == ()
    assert len(book.of(NAME)) == 1  # between opening and closing it stays
    book.update([seen(opens=False, closes=True)], 40 * S)
    assert book.of(NAME) == ()


def test_cause_is_told_again_only_after_its_cooldown() -> None:
    book = FactBook()
    over = seen(opens=False, closes=True)
    assert len(book.update([seen()], 0)) == 1
    book.update([over], S)
    assert book.update([seen()], 899 * S) == ()
    assert len(book.of(NAME)) == 1
    book.update([over], 899 * S)
    assert len(book.update([seen()], 900 * S)) == 1
    assert len(book.update([seen(cause="30m")], 900 * S)) == 1


def test_cause_that_is_read_no_more_is_over() -> None:
    book = FactBook()
    book.update([seen(), seen(cause="30m")], 0)
    book.update([seen()], S)
    assert [fact.seen.cause for fact in book.of(NAME)] == ["5m"]


def test_told_causes_are_bounded() -> None:
    book = FactBook(most=3)
    for at in range(10):
        book.update([seen(cause=str(at))], at)
    assert len(book._told_ns) == 3


def test_limit_is_the_larger_of_amount_and_share() -> None:
    assert at_least(750e3, 0.0002, 1e9) == 750e3
    assert at_least(750e3, 0.0002, 1e10) == 2e6
    assert at_least(750e3, 0.0002, float("nan")) == 750e3


@pytest.mark.parametrize(
    ("close", "strength", "opens", "closes"),
    [
        (100.4, 0.5, True, False),
        (100.6, 0.5, False, False),
        (101.1, 0.5, False, True),
        (99.9, 0.5, False, True),
        (100.4, 0.4, False, False),
    ],
)
def test_level_is_near_within_half_a_range_and_left_beyond_one(
    close: float, strength: float, opens: bool, closes: bool
) -> None:
    one = given(
        "5m",
        close=close,
        atr=1.0,
        support=100.0,
        support_strength=strength,
        resistance=np.inf,
        resistance_strength=0.0,
    )
    [level] = levels_near(one, 0)
    assert (level.opens, level.closes, level.direction) == (opens, closes, 1)


def test_break_is_confirmed_by_volume_and_has_a_direction() -> None:
    [down] = [
        one for one in structure_breaks(given("5m", event=-2.0, volume=1.5), 0) if one.cause.startswith("5m")
    ]
    assert (down.opens, down.direction, down.word) == (True, -1, "CHoCH confirmed")
    [none] = [
        one for one in structure_breaks(given("5m", event=0.0, volume=1.5), 0) if one.cause.startswith("5m")
    ]
    assert (none.opens, none.closes) == (False, True)


@pytest.mark.parametrize(
    ("times", "word", "opens", "closes"),
    [
        (4.0, "extreme", True, False),
        (3.5, "strong", True, False),
        (2.0, "notable", True, False),
        (1.7, "", False, False),
        (1.4, "", False, True),
    ],
)
def test_volume_spikes_have_three_words(times: float, word: str, opens: bool, closes: bool) -> None:
    [one] = volume_spike(given("5m", volume=times), 0)
    assert (one.word, one.opens, one.closes) == (word, opens, closes)


def test_leverage_builds_while_the_price_stands_or_funding_is_far_off() -> None:
    def both(growth: float, close: float, f8: float) -> Seen:
        one = given("5m", close=close, close_4h=100.0)
        grid = {**one.values.get("grid", {}), GROWTH: np.full((1, 12), growth)}
        minute = {**one.values["1m"], read("funding", "f8"): np.full((1, 12), f8)}
        [told] = leverage_build(replace(one, values={**one.values, "grid": grid, "1m": minute}), 0)
        return told

    assert both(0.12, 101.0, 0.0).word == "strong"
    assert not both(0.12, 103.0, 0.0).opens
    assert both(0.0, 103.0, -0.0016).word == "extreme"
    assert both(0.065, 100.0, 0.0).closes is False
    assert both(0.063, 100.0, 0.0).closes is True


def test_every_rule_over_columns_is_read_for_every_instrument() -> None:
    for column in range(12):
        assert {"volume_spike"} <= {one.kind for one in readings(found(), column)}


def test_single_large_prints_are_told_by_side() -> None:
    prints = [Print(1, 8e5, 1), Print(2, 2e6, -1), Print(3, 1e3, 1)]
    up, down = whale_trades(NAME, prints, 1e9)
    assert (up.opens, up.word, up.direction) == (True, "", 1)
    assert (down.opens, down.word, down.direction) == (True, "large", -1)
    assert not whale_trades(NAME, prints, 1e10)[0].opens
    assert whale_trades(NAME, [], 1e9) == []


def test_wash_pairs_are_equal_opposite_and_close_in_time() -> None:
    def trade(at_s: float, side: int, size: float = 5.0, price: float = 100.0) -> Print:
        return Print(int(at_s * S), size * price, side, price, size)

    assert wash_pairs([trade(0, 1), trade(0.5, -1), trade(3, 1), trade(3.9, -1)]) == 2
    assert wash_pairs([trade(0, 1), trade(1.5, -1)]) == 0
    assert wash_pairs([trade(0, 1), trade(0.5, 1)]) == 0
    assert wash_pairs([trade(0, 1), trade(0.5, -1, size=5.1)]) == 0
    assert wash_pairs([trade(0, 1), trade(0.5, -1, price=100.1)]) == 0


def depth(large: float, turnover: float = 1e7) -> Depth:
    """Fifty levels a side of about 10,000 USD, of which four bids hold ``large`` each."""
    steps = np.linspace(0.0, 0.49, 50)
    price = 100.0 - steps
    size = np.full(50, 100.0)
    size[[3, 9, 20, 31]] = large / price[[3, 9, 20, 31]]
    return Depth(price, size, 100.01 + steps, np.full(50, 100.0), turnover)


def test_a_wall_is_large_levels_that_outweigh_the_other_side() -> None:
    # The other side's levels are about equal: none is two deviations beyond the mean.
    assert wall_usd(depth(400e3), 1) == pytest.approx(1.6e6)
    assert wall_usd(depth(400e3), -1) == 0.0
    assert wall_usd(depth(100e3), 1) == 0.0  # less than half a million beyond the other side
    assert wall_usd(depth(400e3, turnover=1e9), 1) == 0.0


def test_a_wall_must_stand_on_thirty_samples_and_is_over_after_as_many_without() -> None:
    wall, none = depth(400e3), depth(10e3)
    bids, asks = whale_book(NAME, [wall] * 30, {})
    assert (bids.opens, bids.closes, bids.direction, bids.word) == (True, False, 1, "")
    assert not asks.opens
    assert not whale_book(NAME, [wall] * 29, {})[0].opens
    flickering = whale_book(NAME, [*[wall] * 29, none], {})[0]
    assert (flickering.opens, flickering.closes) == (False, False)
    assert whale_book(NAME, [none] * 30, {})[0].closes
    assert whale_book(NAME, [wall] * 30, {1: 9e5})[0].word == "suspected wall"


def bait(gone_s: float, **changes: float) -> Resting:
    given = {
        "side": 1,
        "price": 99.7,
        "size": 60.0,
        "usual": 10.0,
        "traded": 0.0,
        "since_ns": int((gone_s - 10) * S),
        "gone_ns": int(gone_s * S),
        "mid": 100.0,
        "mid_gone": 100.02,
    } | changes
    return Resting(**given)  # type: ignore[arg-type]  # numbers by name


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 49.0},
        {"price": 99.95},
        {"price": 98.9},
        {"since_ns": 0},
        {"traded": 6.0},
        {"mid_gone": 99.99},
    ],
)
def test_a_level_that_may_be_honest_is_no_bait(changes: dict[str, float]) -> None:
    assert bait(100).is_bait
    assert not bait(100, **changes).is_bait


def test_three_baits_of_one_side_within_ten_minutes_are_suspected() -> None:
    three = [bait(100), bait(200), bait(300)]
    bids, asks = spoofs_suspected(NAME, three, 301 * S)
    assert (bids.opens, bids.value, bids.word) == (True, 3.0, "")
    assert (asks.opens, asks.closes) == (False, True)
    assert not spoofs_suspected(NAME, three[:2], 301 * S)[0].opens
    assert not spoofs_suspected(NAME, three, 701 * S)[0].opens
    assert spoofs_suspected(NAME, three, 901 * S)[0].closes
    mirrored = [replace(one, side=-1, price=100.3, mid_gone=99.98) for one in three]
    assert spoofs_suspected(NAME, mirrored, 301 * S)[1].opens


def test_levels_of_one_size_that_leave_together_are_layers() -> None:
    layered = [bait(100), bait(100.3, size=66.0), bait(100.9, size=54.0)]
    assert spoofs_suspected(NAME, layered, 101 * S)[0].word == "layering"
    apart = [bait(100), bait(101.5), bait(103)]
    assert spoofs_suspected(NAME, apart, 104 * S)[0].word == ""
    assert spoofs_suspected(NAME, [bait(100), bait(100.3, size=80.0), bait(100.9)], 101 * S)[0].word == ""


def test_wash_is_suspected_from_three_pairs_that_are_more_than_a_hundredth() -> None:
    pair = [Print(0, 500.0, 1, 100.0, 5.0), Print(1, 500.0, -1, 100.0, 5.0)]
    prints = [replace(one, event_ns=one.event_ns + at * 10 * 10**9) for at in range(3) for one in pair]
    [one] = wash_suspected(NAME, prints, 299_999.0)  # 3,000 of it
    assert (one.opens, one.value, dict(one.facts)["pairs"]) == (True, 3_000.0, 3.0)
    assert not wash_suspected(NAME, prints, 300_000.0)[0].opens
    assert not wash_suspected(NAME, prints[:4], 1_000.0)[0].opens
    assert wash_suspected(NAME, prints[:1], 1_000.0) == []
