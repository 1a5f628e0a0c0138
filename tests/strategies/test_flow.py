from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.model.view import TradeTape
from sextant.strategies.flow import Flows, flows_of, reaching
from support.makers import tape_of, wide_tape

END = 10**15


def flow_of(
    tape: TradeTape, half_spread_bps: float, as_of_ns: int = END, window_s: float = 900.0
) -> dict[str, float]:
    """The flow of one book by name."""
    flows = flows_of([tape], np.array([half_spread_bps]), as_of_ns, window_s)
    return {name: float(values[0]) for name, values in vars(flows).items()}


def test_prints_of_one_order_are_one_sweep() -> None:
    """In 15 minutes: a buyer of 6, a seller of 4, and a trade of no known side that is left out."""
    tape = TradeTape(
        np.array([1, 1, 1, 2, 3]) * 10**9,
        np.array([100.0, 100.2, 100.1, 99.9, 100.0]),
        np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        np.array([1.0, 1.0, 1.0, -1.0, 0.0]),
    )
    flow = flow_of(tape, 1.0, 10 * 10**9)
    assert (flow["count"], flow["buys"], flow["sells"]) == (2, 1, 1)
    assert flow["hourly"] == 40.0
    assert flow["toxicity"] == pytest.approx(0.2)


def test_only_the_window_is_seen() -> None:
    tape = tape_of(np.full(100, 100.0), np.tile([1.0, -1.0], 50), END, every_s=10.0)
    assert flow_of(tape, 1.0, END, 95.0)["count"] == 10
    assert flow_of(tape, 1.0, END - 10**18)["count"] == 0


def test_many_books_are_told_as_each_alone() -> None:
    """Also one without a trade, and none at all."""
    rng = np.random.default_rng(3)
    tapes = [
        tape_of(100.0 * np.exp(1e-4 * rng.normal(size=n).cumsum()), rng.choice([1.0, -1.0], n), END)
        for n in (400, 0, 700, 3)
    ]
    spreads = np.array([3.0, 4.0, 5.0, 6.0])
    together = flows_of(tapes, spreads, END)
    for place, tape in enumerate(tapes):
        alone = flows_of([tape], spreads[place : place + 1], END)
        for name, values in vars(alone).items():
            np.testing.assert_array_equal(getattr(together, name)[place], values[0])
    nothing = flows_of([], np.empty(0), END)
    assert all(len(values) == 0 for values in vars(nothing).values())
    assert set(vars(nothing)) == set(Flows.__dataclass_fields__)


def test_the_flow_of_the_page_decays_as_the_page_says() -> None:
    """strategies.md 3.7: k 0.076, adverse 1.0 bps; the counts by hand: 600, 540, 120 and 120 sweeps reach 7.5 to 30 bps."""
    flow = flow_of(wide_tape(END), 15.0)
    assert flow["k"] == pytest.approx(0.076, rel=0.01)
    assert flow["adverse_bps"] == pytest.approx(1.0, rel=0.01)
    assert (flow["count"], flow["buys"], flow["sells"]) == (600, 300, 300)
    assert (flow["points"], flow["deepest_bps"]) == (4, 30.0)
    assert flow["toxicity"] == 0.0
    assert flow["hourly"] == pytest.approx(2_400.0)


def test_the_flow_of_each_book_decays_with_depth() -> None:
    reached = reaching(np.log([0.5, 2.0]), np.array([0.1, 0.3]), np.array([10.0, 0.0]))
    assert reached == pytest.approx([0.5 * math.exp(-1.0), 2.0])


def test_a_flow_that_always_stops_at_one_depth_has_too_few_points() -> None:
    """All trades at the touch: 7.5 and 15 bps are reached, 22.5 and more never."""
    sides = np.tile([1.0, -1.0], 300)
    flow = flow_of(tape_of(100.0 * (1 + sides * 15e-4), sides, END), 15.0)
    assert flow["points"] == 2
    assert math.isnan(flow["k"])


def test_a_price_that_follows_its_buyers_is_adverse() -> None:
    """Ten runs in which the mid moves 1 bps per trade its way: what lies 10 s ahead is about 6.7 trades ahead."""
    sides = np.where((np.arange(600) // 60) % 2 == 0, 1.0, -1.0)
    mids = 100.0 * np.cumprod(1.0 + sides * 1e-4)
    flow = flow_of(tape_of(mids * (1 + sides * 5e-4), sides, END), 5.0)
    assert flow["adverse_bps"] > 5.0
    assert flow["toxicity"] == pytest.approx(0.2)


def test_no_trades_say_nothing() -> None:
    nothing = TradeTape(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0))
    flow = flow_of(nothing, 15.0)
    assert (flow["count"], flow["points"]) == (0, 0)
    assert math.isnan(flow["toxicity"])


# ---- a second implementation, by whole arrays ----------------------------------------------------


def _by_arrays(tape: TradeTape, half_spread_bps: float) -> dict[str, float]:
    """The same figures by array operations instead of loops over sweeps."""
    seen = (tape.event_ns > END - 900 * 10**9) & (tape.event_ns <= END) & (tape.aggressor != 0)
    time, price, size, side = (a[seen] for a in (tape.event_ns, tape.price, tape.size, tape.aggressor))
    last = np.concatenate(((time[1:] != time[:-1]) | (side[1:] != side[:-1]), [True]))
    first = np.concatenate(([0], np.flatnonzero(last)[:-1] + 1))
    deepest = np.where(side[last] > 0, np.maximum.reduceat(price, first), np.minimum.reduceat(price, first))
    time, side, size = time[last], side[last], np.add.reduceat(size, first)
    index = np.arange(1, len(side) + 1)
    prices = np.concatenate(([np.nan], deepest))
    latest = [np.maximum.accumulate(np.concatenate(([0], np.where(side == s, index, 0)))) for s in (1, -1)]
    mids = 0.5 * (prices[latest[0]] + prices[latest[1]])
    depth = 1e4 * side * (deepest - mids[:-1]) / mids[:-1]
    grid = half_spread_bps * np.array([0.5, 1.0, 1.5, 2.0, 3.0])
    counts = (depth[:, None] >= grid - 1e-8).sum(axis=0)
    good = counts >= 5
    slope = np.polyfit(grid[good], np.log(counts[good]), 1, w=np.sqrt(counts[good]))[0]
    careful = []
    for tau in (10, 60):
        later = time + tau * 10**9
        whole = later <= time[-1]
        after = mids[np.searchsorted(time, later, side="right")]
        moves = (1e4 * side * (after - mids[:-1]) / mids[:-1])[whole]
        moves = moves[np.isfinite(moves)]
        careful.append(moves.mean() + 0.84 * moves.std(ddof=1) / np.sqrt(900 / tau))
    toxic = abs((side * size)[-300:].sum()) / size[-300:].sum()
    return {"count": len(side), "k": -slope, "adverse": max(*careful, 0.0), "toxicity": toxic}


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_the_same_figures_by_whole_arrays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 900
    times = np.sort(END - rng.integers(0, 890, count) * 10**9)
    sides = rng.choice([1.0, -1.0, 0.0], count, p=[0.5, 0.4, 0.1])
    mids = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-4, count)))
    tape = TradeTape(
        times, mids * (1 + sides * rng.exponential(8e-4, count)), rng.exponential(1.0, count), sides
    )
    flow, expected = flow_of(tape, 6.0), _by_arrays(tape, 6.0)
    assert flow["count"] == expected["count"]
    assert flow["k"] == pytest.approx(expected["k"], rel=1e-9)
    assert flow["adverse_bps"] == pytest.approx(expected["adverse"], rel=1e-9)
    assert flow["toxicity"] == pytest.approx(expected["toxicity"], rel=1e-9)
