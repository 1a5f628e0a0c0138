"""Indicators that TA-Lib lacks, against the definition written out for one column with Python's own sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sextant.indicators.catalog import compute
from sextant.model.bar import Floats
from support import indicators as market

FIRST = 29_000_160 - 250  # a UTC midnight lies at row 250
ROWS = 420
Column = dict[str, Floats]
Definition = Callable[[Column, int], tuple[float, ...]]


def parts(a: float, b: float) -> float:
    return a / b if b > 0 else 0.0


def total(x: Floats, t: int, rows: int) -> float:
    return math.fsum(x[t - rows + 1 : t + 1])


def returns(b: Column) -> Floats:
    c = b["close"]
    return np.concatenate(([np.nan], c[1:] / c[:-1] - 1.0))


def location(b: Column) -> Floats:
    span = b["high"] - b["low"]
    return np.where(span > 0, (2 * b["close"] - b["low"] - b["high"]) / np.where(span > 0, span, 1), 0.0)


def ema(x: Floats, n: int, t: int) -> float:
    v = math.fsum(x[:n]) / n
    for row in x[n : t + 1]:
        v += 2.0 / (n + 1) * (row - v)
    return v


def true_ranges(b: Column) -> Floats:
    before = np.concatenate(([np.nan], b["close"][:-1]))
    return np.maximum(b["high"], before) - np.minimum(b["low"], before)


def atr(b: Column, t: int, n: int = 14) -> float:
    x = true_ranges(b)
    v = math.fsum(x[1 : n + 1]) / n
    for row in x[n + 1 : t + 1]:
        v = (v * (n - 1) + row) / n
    return v


def realized_volatility(b: Column, t: int) -> tuple[float, ...]:
    return (math.sqrt(total(returns(b) ** 2, t, 60) / 60),)


def parkinson(b: Column, t: int) -> tuple[float, ...]:
    x = np.log(b["high"] / b["low"]) ** 2
    return (math.sqrt(total(x, t, 60) / (4 * math.log(2) * 60)),)


def semivariance(b: Column, t: int) -> tuple[float, ...]:
    r = returns(b)[t - 239 : t + 1]
    up, down = math.fsum(r[r > 0] ** 2), math.fsum(r[r < 0] ** 2)
    return up, down, parts(up - down, up + down)


def volume_balance(b: Column, t: int) -> tuple[float, ...]:
    signs = np.concatenate(([0.0], np.sign(np.diff(b["close"]))))
    volume = total(b["volume"], t, 60)
    return (
        parts(total(location(b) * b["volume"], t, 60), volume),
        parts(total(signs * b["volume"], t, 60), volume),
    )


def relative_volume(b: Column, t: int) -> tuple[float, ...]:
    usual = ema(b["volume"], 30, t - 1)
    return (min(100.0, b["volume"][t] / usual),)


def deltas(b: Column) -> Floats:
    return 2 * b["taker_buy_volume"] - b["volume"]


def volume_delta(b: Column, t: int) -> tuple[float, ...]:
    return deltas(b)[t], parts(total(deltas(b), t, 20), total(b["volume"], t, 20))


def cumulative_delta(b: Column, t: int) -> tuple[float, ...]:
    begun = 250 if t >= 250 else 0
    return math.fsum(deltas(b)[begun : t + 1]), parts(total(deltas(b), t, 60), total(b["volume"], t, 60))


def trade_flow(b: Column, t: int) -> tuple[float, ...]:
    buy, sell = b["buy_turnover"], b["sell_turnover"]
    return (parts(ema(buy - sell, 10, t), ema(buy + sell, 10, t)),)


def count_imbalance(b: Column, t: int) -> tuple[float, ...]:
    buy, sell = b["buy_count"], b["sell_count"]
    weights = ((5, 0.5), (15, 0.3), (60, 0.2))
    return (sum(w * parts(total(buy - sell, t, n), total(buy + sell, t, n)) for n, w in weights),)


def pressure(b: Column, t: int) -> tuple[float, ...]:
    def faded(x: Floats) -> float:
        return math.fsum(x[: t + 1] * 2.0 ** (-np.arange(t, -1, -1) / 3.0))

    def balance(kind: tuple[str, str]) -> float:
        return parts(faded(b[kind[0]] - b[kind[1]]), faded(b[kind[0]] + b[kind[1]]))

    kinds = (("buy_turnover", "sell_turnover"), ("buy_count", "sell_count"), ("large_buy", "large_sell"))
    return (math.fsum(w * balance(kind) for w, kind in zip((0.7, 0.2, 0.1), kinds, strict=True)),)


def large_trade_flow(b: Column, t: int) -> tuple[float, ...]:
    net = total(b["large_buy"] - b["large_sell"], t, 60)
    return (parts(net, total(b["buy_turnover"] + b["sell_turnover"], t, 60)),)


def one_sided_impact(b: Column, t: int) -> tuple[float, ...]:
    r, d = returns(b)[t - 59 : t + 1], deltas(b)[t - 59 : t + 1]
    up = max(0.0, math.fsum(r[d > 0]) / math.fsum(d[d > 0]))
    down = max(0.0, math.fsum(r[d < 0]) / math.fsum(d[d < 0]))
    return math.fsum(r * d) / math.fsum(d * d), parts(up - down, up + down)


def vwap(b: Column, t: int) -> tuple[float, ...]:
    begun = 250 if t >= 250 else 0
    price = ((b["high"] + b["low"] + b["close"]) / 3)[begun : t + 1]
    volume = b["volume"][begun : t + 1]
    if volume.sum() == 0:
        return price[-1], 0.0, 0.0
    mean = math.fsum(price * volume) / math.fsum(volume)
    sd = math.sqrt(math.fsum((price - mean) ** 2 * volume) / math.fsum(volume))
    return mean, sd, parts(b["close"][t] - mean, sd)


def sweeps(b: Column, t: int) -> Iterator[tuple[int, float]]:
    for row in range(50, t + 1):
        low, high = b["low"][row - 50 : row].min(), b["high"][row - 50 : row].max()
        least = 0.1 * atr(b, row)
        up = b["low"][row] < low - least and b["close"][row] > low
        down = b["high"][row] > high + least and b["close"][row] < high
        if up != down:
            yield row, 1.0 if up else -1.0


def range_position(b: Column, t: int) -> tuple[float, ...]:
    high, low = b["high"][t - 49 : t + 1].max(), b["low"][t - 49 : t + 1].min()
    row, sign = max(sweeps(b, t), default=(t, 0.0))
    return parts(b["close"][t] - (high + low) / 2, (high - low) / 2), sign * 2.0 ** (-(t - row) / 10)


def close_to(gap: float, span: float) -> float:
    return 1.0 / (1.0 + (gap / span) ** 2)


def open_gaps(b: Column, t: int, sign: float) -> float:
    """Pull of the last three gaps of one direction; for the other the prices are negated."""
    low = b["low"] if sign > 0 else -b["high"]
    high = b["high"] if sign > 0 else -b["low"]
    born = [row for row in range(14, t + 1) if low[row] > high[row - 2] + 0.1 * atr(b, row)][-3:]
    pull = 0.0
    for row in born:
        bottom, top = high[row - 2], low[row : t + 1].min()
        if top > bottom:
            gap = max(0.0, sign * b["close"][t] - top)
            size = min(1.0, (top - bottom) / atr(b, t))
            pull += size * 2.0 ** (-(t - row) / 25) * close_to(gap, atr(b, t))
    return pull


def price_gaps(b: Column, t: int) -> tuple[float, ...]:
    return (max(-1.0, min(1.0, open_gaps(b, t, 1.0) - open_gaps(b, t, -1.0))),)


def turns(x: Floats, t: int) -> list[int]:
    """Bars that are swing highs, as known at t."""
    return [i for i in range(5, t - 4) if x[i] > x[i - 5 : i].max() and x[i] >= x[i + 1 : i + 6].max()]


def levels(b: Column, t: int) -> tuple[float, ...]:
    span, close = atr(b, t), b["close"][t]
    marks = sorted(
        (float(x[i]), 2.0 ** (-(t - i) / 50))
        for x, y in ((b["high"], b["high"]), (b["low"], -b["low"]))
        for i in turns(y, t)
        if t - i < 100
    )
    groups: list[list[tuple[float, float]]] = []
    for mark in marks:
        if groups and mark[0] - groups[-1][-1][0] < 0.25 * span:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    found = [
        (sum(p * w for p, w in group) / sum(w for _, w in group), min(1.0, sum(w for _, w in group) / 3))
        for group in groups
        if len(group) >= 2
    ]
    support, below = max((one for one in found if one[0] < close), default=(-math.inf, 0.0))
    resistance, above = min((one for one in found if one[0] > close), default=(math.inf, 0.0))
    pull = below * close_to(close - support, span) - above * close_to(resistance - close, span)
    return support, resistance, below, above, pull


def breaks(b: Column, t: int) -> list[tuple[int, int]]:
    """Rows and signs of the breaks of structure."""
    events = []
    levels_used: dict[int, set[int]] = {1: set(), -1: set()}
    for row in range(10, t + 1):
        crossed = []
        for sign, x in ((1, b["high"]), (-1, -b["low"])):
            known = turns(x, row)
            if known and known[-1] not in levels_used[sign] and sign * b["close"][row] > x[known[-1]]:
                crossed.append((sign, known[-1]))
        if len(crossed) == 1:
            levels_used[crossed[0][0]].add(crossed[0][1])
            events.append((row, crossed[0][0]))
    return events


def order_zones(b: Column, t: int) -> tuple[float, ...]:
    pulls = {1: 0.0, -1: 0.0}
    for side in (1, -1):
        zones = []
        low, high = (b["low"], b["high"]) if side > 0 else (-b["high"], -b["low"])
        close, opened = side * b["close"], side * b["open"]
        for row, sign in breaks(b, t):
            if sign != side or row < 30:
                continue
            contrary = [i for i in range(row) if close[i] < opened[i]]
            opposite = turns(-low, row)
            if contrary and contrary[-1] >= (opposite[-1] if opposite else 0):
                usual = relative_volume(b, row)[0]
                weight = 0.3 + 0.7 * max(0.0, (usual - 1) / (usual + 1))
                zones.append((row, low[contrary[-1]], high[contrary[-1]], weight))
        for row, bottom, top, weight in zones[-4:]:
            if (close[row + 1 : t + 1] >= bottom).all():
                gap = max(0.0, close[t] - top, bottom - close[t])
                pulls[side] += weight * 2.0 ** (-(t - row) / 25) * close_to(gap, atr(b, t))
    return (max(-1.0, min(1.0, pulls[1] - pulls[-1])),)


SHEETS: tuple[tuple[Definition, dict[str, float], int], ...] = (
    (realized_volatility, {}, 1),
    (parkinson, {}, 1),
    (semivariance, {}, 3),
    (volume_balance, {"window": 60}, 3),
    (relative_volume, {}, 3),
    (volume_delta, {}, 1),
    (cumulative_delta, {}, 1),
    (trade_flow, {}, 3),
    (count_imbalance, {}, 1),
    (pressure, {}, 1),
    (large_trade_flow, {}, 1),
    (one_sided_impact, {}, 1),
    (vwap, {}, 1),
    (range_position, {}, 37),
    (price_gaps, {}, 37),
    (levels, {}, 13),
    (order_zones, {}, 37),
)


@pytest.mark.parametrize(
    ("definition", "params", "every"), SHEETS, ids=[sheet[0].__name__ for sheet in SHEETS]
)
def test_value_is_that_of_the_definition(
    definition: Definition, params: dict[str, float], every: int
) -> None:
    name = definition.__name__
    bars = market.walk(ROWS, 2, 21)
    found = compute(name, bars, bar_index=FIRST, **params)
    for s in range(2):
        column = {field: np.ascontiguousarray(x[:, s]) for field, x in bars.items()}
        warm = int(np.argmax(~np.isnan(np.vstack([x[:, s] for x in found.values()])).any(axis=0)))
        for t in range(warm, ROWS, every):
            expected = definition(column, t)
            values = [x[t, s] for x in found.values()]
            assert values == pytest.approx(expected, rel=1e-9, abs=1e-9), f"row {t}"


def test_impact_of_buying_and_selling_is_the_worked_example() -> None:
    delta = np.array([2.0, -1.0, 3.0, -2.0])
    r = np.array([0.002, -0.0005, 0.003, -0.001])
    close = np.concatenate(([100.0], 100.0 * np.cumprod(1 + r)))[:, None]
    volume = np.full((5, 1), 10.0)
    buy = np.concatenate(([5.0], (volume[1:, 0] + delta) / 2))[:, None]
    bars = {"close": close, "volume": volume, "taker_buy_volume": buy}
    found = compute("one_sided_impact", bars, bar_index=0, window=4)
    assert found["kyle"][4, 0] == pytest.approx(0.0008611111, abs=5e-11)
    assert found["asymmetry"][4, 0] == pytest.approx(0.333333, abs=5e-7)


def test_vwap_is_the_published_example() -> None:
    price = np.array([[23429.3967], [23421.9967], [23401.0433]])
    volume = np.array([[959.0], [420.0], [821.0]])
    bars = {"high": price, "low": price, "close": price, "volume": volume}
    found = compute("vwap", bars, bar_index=0)
    assert found["vwap"][:, 0] == pytest.approx([23429.3967, 23427.142893, 23417.402999], abs=5e-7)
    assert found["sd"][:, 0] == pytest.approx([0.0, 3.405661, 12.907823], abs=5e-7)


def test_weekly_vwap_begins_on_monday() -> None:
    bars = market.walk(20, 1, 8)
    days_of_epoch = 7 * 2900  # a Thursday; the Monday after it is row 4
    found = compute("vwap", bars, bar_index=days_of_epoch, anchor="week", bars_per_day=1)["vwap"][:, 0]
    typical = ((bars["high"] + bars["low"] + bars["close"]) / 3)[:, 0]
    fresh = [t for t in range(20) if found[t] == pytest.approx(typical[t], rel=1e-12)]
    assert fresh == [0, 4, 11, 18]


def test_funding_is_brought_to_eight_hours_and_a_year() -> None:
    bars = {
        "funding_rate": np.array([[0.0001, 0.0003]]),
        "funding_interval_s": np.array([[3_600.0, 28_800.0]]),
    }
    found = compute("funding", bars, bar_index=0)
    assert found["f8"][0] == pytest.approx([0.0008, 0.0003])
    assert found["f8_annual"][0] == pytest.approx([0.876, 0.3285])


def test_basis_is_the_distance_of_the_mark_over_the_index() -> None:
    found = compute(
        "basis", {"mark": np.array([[101.0, 99.0]]), "index": np.array([[100.0, 100.0]])}, bar_index=0
    )
    assert found["basis"][0] == pytest.approx([0.01, -0.01])


def test_open_interest_changes_over_twelve_points_and_a_missing_one_hides_it() -> None:
    grid = np.full((30, 1), 200.0)
    grid[12:] = 208.0
    grid[15] = np.nan
    grid[29] = 0.0
    x = compute("open_interest_change", {"open_interest": grid}, bar_index=0)["open_interest_change"][:, 0]
    assert x[12:15] == pytest.approx([0.04] * 3)
    assert np.isnan(x[15:28]).all()
    assert x[28] == 0.0
    assert np.isnan(x[29])
