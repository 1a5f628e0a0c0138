"""What every indicator must keep, whoever wrote it; new files of the library are found here by themselves."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.indicators.catalog import indicators
from sextant.indicators.contract import Indicator, State, batch, begin, copy_state, fold, preview, step
from sextant.model.bar import BAR_FIELDS, Floats
from support import indicators as market

FIRST = 28_999_859  # 301 minutes before a UTC midnight
ROWS = 700
MARKETS = {
    "random": market.walk(ROWS, 3, 1),
    "constant": market.constant(ROWS, 2),
    "zero volume": market.quiet(ROWS, 2),
    "spike": market.spike(ROWS, 2),
    "gappy": market.gappy(ROWS, 3),
}

every = pytest.mark.parametrize("name", list(indicators()))


def short(indicator: Indicator) -> dict[str, Any]:
    """Parameters under which the indicator is warm well inside the test's rows."""
    constants = {name: market.CONSTANTS[name] for name in indicator.constants}
    small = {
        param.name: max(int(param.low), 60)
        for param in indicator.params
        if param.name in {"window", "lookback"} and param.default > 200
    }
    return indicator.values(**constants, **small)


def run(indicator: Indicator, bars: market.Columns, first: int = FIRST) -> dict[str, Floats]:
    return batch(indicator, market.needed(indicator, bars), first, short(indicator))


def same(one: dict[str, Floats], other: dict[str, Floats]) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[k], other[k], equal_nan=True) for k in one)


def content(state: State) -> list[bytes]:
    return [b"".join(content(part)) if isinstance(part, tuple) else part.tobytes() for part in state]


def ages(indicator: Indicator, bars: market.Columns) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows since the anchor, (T, S): 0 on it, -1 on a hole."""
    holes = np.any([np.isnan(bars[name]) for name in indicator.inputs], axis=0)
    age = np.full(holes.shape, -1)
    for t in range(len(holes)):
        age[t] = np.where(holes[t], -1, (age[t - 1] if t else -1) + 1)
    return age


@every
def test_file_constant_inputs_and_bounds_are_declared(name: str) -> None:
    indicator = indicators()[name]
    assert indicator.name == name
    assert indicator.source
    assert set(indicator.inputs) <= set(market.walk(2, 1, 1))
    assert len({out.name for out in indicator.outputs}) == len(indicator.outputs)
    values = short(indicator)
    assert indicator.settle(values) >= indicator.warmup(values) >= 0
    assert max(indicator.warmups(values).values()) == indicator.warmup(values)
    for param in indicator.params:
        with pytest.raises(InputError):
            indicator.values(**{param.name: param.high + 1})


@every
@pytest.mark.parametrize("kind", list(MARKETS))
def test_output_has_the_length_of_the_input_and_leaves_it_untouched(name: str, kind: str) -> None:
    indicator = indicators()[name]
    given = market.needed(indicator, MARKETS[kind])
    before = {field: x.copy() for field, x in given.items()}
    found = batch(indicator, given, FIRST, short(indicator))
    assert all(np.array_equal(given[field], before[field], equal_nan=True) for field in given)
    assert {x.shape for x in found.values()} == {MARKETS[kind]["close"].shape}
    assert {x.dtype for x in found.values()} == {np.dtype(np.float64)}


@every
@pytest.mark.parametrize("kind", ["random", "constant", "zero volume", "spike"])
def test_value_is_missing_exactly_while_warming(name: str, kind: str) -> None:
    indicator = indicators()[name]
    for output, warmup in indicator.warmups(short(indicator)).items():
        x = run(indicator, MARKETS[kind])[output]
        assert np.isnan(x[:warmup]).all()
        assert not np.isnan(x[warmup:]).any()


@every
def test_hole_makes_a_column_cold_or_is_tolerated(name: str) -> None:
    indicator = indicators()[name]
    bars = MARKETS["gappy"]
    age = ages(indicator, bars)
    found = run(indicator, bars)
    for output, warmup in indicator.warmups(short(indicator)).items():
        x = found[output]
        assert np.isnan(x[age < 0]).all()
        if indicator.holes == "restart":
            assert np.array_equal(np.isnan(x), age < warmup)
        else:
            assert not np.isnan(x[-1]).any()


@pytest.mark.parametrize("name", [name for name, found in indicators().items() if found.holes == "restart"])
def test_series_after_a_hole_equals_a_new_series(name: str) -> None:
    indicator = indicators()[name]
    bars = {field: x.copy() for field, x in MARKETS["random"].items()}
    for x in bars.values():
        x[301] = np.nan
    whole = run(indicator, bars)
    later = run(indicator, market.cut(bars, slice(302, None)), FIRST + 302)
    assert same({k: np.ascontiguousarray(x[302:]) for k, x in whole.items()}, later)


@every
@pytest.mark.parametrize("kind", ["random", "gappy"])
@pytest.mark.parametrize("rows", [1, 37, 299, 441])
def test_result_of_a_prefix_is_the_prefix_of_the_result(name: str, kind: str, rows: int) -> None:
    indicator = indicators()[name]
    whole = run(indicator, MARKETS[kind])
    part = run(indicator, market.cut(MARKETS[kind], slice(0, rows)))
    assert same(part, {k: x[:rows] for k, x in whole.items()})


@every
@pytest.mark.parametrize("kind", list(MARKETS))
def test_column_alone_equals_the_column_among_others(name: str, kind: str) -> None:
    indicator = indicators()[name]
    whole = run(indicator, MARKETS[kind])
    for s in range(MARKETS[kind]["close"].shape[1]):
        alone = run(indicator, market.cut(MARKETS[kind], slice(None), slice(s, s + 1)))
        assert same(alone, {k: x[:, s : s + 1] for k, x in whole.items()})


@every
def test_column_alone_equals_the_column_among_a_thousand(name: str) -> None:
    indicator = indicators()[name]
    bars = market.gappy(150, 1000, 5)
    whole = run(indicator, bars)
    for s in (0, 3, 511, 998, 999):
        alone = run(indicator, market.cut(bars, slice(None), slice(s, s + 1)))
        assert same(alone, {k: x[:, s : s + 1] for k, x in whole.items()})


@every
@pytest.mark.parametrize("kind", list(MARKETS))
def test_values_stay_in_their_declared_range(name: str, kind: str) -> None:
    indicator = indicators()[name]
    found = run(indicator, MARKETS[kind])
    for out in indicator.outputs:
        x = found[out.name]
        x = x[~np.isnan(x)]
        assert (x >= out.low).all()
        assert (x <= out.high).all()


@every
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 1), (1, 3), (5, 0)])
def test_one_row_and_no_data_are_answered_in_shape(name: str, shape: tuple[int, int]) -> None:
    indicator = indicators()[name]
    found = run(indicator, market.walk(*shape, 2))
    assert {x.shape for x in found.values()} == {shape}
    for output, warmup in indicator.warmups(short(indicator)).items():
        assert np.isnan(found[output]).all() == (warmup > 0 or 0 in shape)


@every
@pytest.mark.parametrize("kind", ["random", "gappy", "spike"])
def test_batch_equals_the_fold_of_steps_and_any_split_of_it(name: str, kind: str) -> None:
    indicator = indicators()[name]
    values = short(indicator)
    bars = market.needed(indicator, MARKETS[kind])
    columns = MARKETS[kind]["close"].shape[1]
    whole = batch(indicator, bars, FIRST, values)
    stepped = begin(indicator, columns, values)
    rows = [
        step(indicator, stepped, FIRST + t, {field: x[t] for field, x in bars.items()}, values)
        for t in range(ROWS)
    ]
    assert same(whole, {k: np.array([row[k] for row in rows]) for k in whole})
    state = begin(indicator, columns, values)
    edges = [0, 1, 2, 61, 300, 302, 333, ROWS]
    parts = [
        fold(indicator, state, FIRST + a, {field: x[a:b] for field, x in bars.items()}, values)
        for a, b in itertools.pairwise(edges)
    ]
    assert same(whole, {k: np.vstack([part[k] for part in parts]) for k in whole})


@every
def test_preview_of_a_forming_bar_leaves_the_state_untouched(name: str) -> None:
    indicator = indicators()[name]
    values = short(indicator)
    bars = market.needed(indicator, MARKETS["random"])
    state = begin(indicator, 3, values)
    fold(indicator, state, FIRST, {field: x[:400] for field, x in bars.items()}, values)
    kept = copy_state(state)
    row = {field: x[400] for field, x in bars.items()}
    seen = preview(indicator, state, FIRST + 400, row, values)
    assert content(kept) == content(state)
    assert same(seen, step(indicator, state, FIRST + 400, row, values))
    assert content(kept) != content(state)


@every
@pytest.mark.parametrize("cut", [1, 119, 131])
def test_two_anchors_agree_once_settled(name: str, cut: int) -> None:
    indicator = indicators()[name]
    if not all(out.anchored for out in indicator.outputs):
        assert indicator.known_gaps, "an output that never settles must say so"
    settle = indicator.settle(short(indicator))
    bars = market.walk(settle + 1000, 3, 6)
    whole, later = run(indicator, bars), run(indicator, market.cut(bars, slice(cut, None)), FIRST + cut)
    for out in (out for out in indicator.outputs if out.anchored):
        a, b = whole[out.name][cut + settle :], later[out.name][settle:]
        assert not np.isnan(a).any()
        assert np.max(np.abs(a - b)) <= 1e-6 * np.max(np.abs(whole[out.name][cut + settle :]))


@every
def test_missing_column_and_odd_shapes_are_refused(name: str) -> None:
    indicator = indicators()[name]
    bars = market.needed(indicator, MARKETS["random"])
    values = short(indicator)
    with pytest.raises(InputError, match="needs the column"):
        batch(indicator, {}, FIRST, values)
    with pytest.raises(InputError, match="float64"):
        batch(indicator, {field: x.astype(np.float32) for field, x in bars.items()}, FIRST, values)
    with pytest.raises(InputError, match="no parameter"):
        indicator.values(no_such=1)


def test_bar_columns_are_named_as_in_the_model() -> None:
    used = {field for indicator in indicators().values() for field in indicator.inputs}
    assert {"close", "high", "low"} <= used & set(BAR_FIELDS)
