"""How any indicator is stated and run; the library itself is held by the conformance suite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sextant.errors import ConfigError, InputError
from sextant.indicators.contract import (
    Indicator,
    Output,
    Param,
    State,
    Values,
    batch,
    begin,
    copy_state,
    fold,
    preview,
    step,
    window,
)
from sextant.model.bar import Floats


def start(columns: int, p: Values) -> State:
    return (np.full(columns, float(p["first"])), (np.zeros(columns, np.int64),))


def advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    """A running sum times a factor, beginning with ``first``."""
    total, (rows,) = state
    for t in range(inputs[0].shape[0]):
        total += inputs[0][t]
        rows += 1
        outputs[0][t] = total * params[1]
        outputs[1][t] = bar_index + t


def kernel(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    outputs[0][:] = (state[0] + np.cumsum(inputs[0], axis=0)) * params[1]
    outputs[1][:] = bar_index + np.arange(len(inputs[0]))[:, None]


def sums(**changes: Any) -> Indicator:
    stated: dict[str, Any] = {
        "name": "sums",
        "inputs": ("x",),
        "outputs": (Output("total", "units"), Output("index", "rows", warmup=lambda _: 3)),
        "params": (Param("first", 5, 0, 10), Param("factor", 1.0, 0.5, 2.0, whole=False)),
        "warmup": lambda _: 0,
        "settle": lambda _: 0,
        "start": start,
        "advance": advance,
        "source": "made for the test",
    }
    return Indicator(**{**stated, **changes})


X = np.arange(12.0).reshape(6, 2)


def test_rows_are_computed_from_a_cold_state() -> None:
    found = batch(sums(), {"x": X}, 40, sums().values(factor=2))
    assert found["total"][:, 0].tolist() == [10, 14, 22, 34, 50, 70]
    assert found["index"][:, 1].tolist() == [40, 41, 42, 43, 44, 45]


def test_faster_kernel_is_taken_for_the_batch_alone() -> None:
    fast = sums(kernel=kernel)
    values = fast.values()
    state = begin(fast, 2, values)
    assert np.array_equal(
        batch(fast, {"x": X}, 0, values)["total"], fold(fast, state, 0, {"x": X}, values)["total"]
    )
    assert state[1][0].tolist() == [6, 6]


def test_step_moves_the_state_and_preview_does_not() -> None:
    values = sums().values()
    state = begin(sums(), 2, values)
    seen = preview(sums(), state, 0, {"x": X[1]}, values)
    assert seen["total"].tolist() == [7, 8]
    assert state[0].tolist() == [5, 5]
    assert step(sums(), state, 0, {"x": X[1]}, values)["total"].tolist() == [7, 8]
    assert state[0].tolist() == [7, 8]


def test_copy_of_a_state_is_independent_and_keeps_the_order_of_memory() -> None:
    state: State = (np.zeros((3, 2), order="F"), (np.ones(2),))
    copied = copy_state(state)
    copied[1][0][:] = 9
    copied[0][:] = 9
    assert state[0].sum() == 0
    assert state[1][0].sum() == 2
    assert copied[0].flags.f_contiguous


def test_default_outside_its_bounds_is_a_broken_file() -> None:
    with pytest.raises(ConfigError, match=r"default 1 is outside 2\.\.500"):
        window(1)


def test_choice_is_said_as_a_word_or_its_position() -> None:
    param = Param("anchor", 0, 0, 1, choices=("day", "week"))
    assert param.read("week") == param.read(1) == 1
    with pytest.raises(InputError, match="one of"):
        param.read("year")


@pytest.mark.parametrize("given", ["5", 5, 5.0, np.int64(5)])
def test_whole_number_is_read_as_an_integer(given: object) -> None:
    value = window(20).read(given)
    assert value == 5
    assert isinstance(value, int)


@pytest.mark.parametrize("given", [None, float("nan"), "x", 2.5, 1, 501, [1, 2]])
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(InputError, match="Parameter window"):
        window(20).read(given)


def test_warmups_are_told_by_output() -> None:
    assert sums().warmups(sums().values()) == {"total": 0, "index": 3}


def test_constants_are_floats_of_each_instrument() -> None:
    values = sums(constants=("lot",)).values(lot=[1, 2])
    assert values["lot"].tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="needs the constant 'lot'"):
        sums(constants=("lot",)).values()


def test_inputs_may_be_any_layout_of_memory() -> None:
    values = sums().values()
    plain = batch(sums(), {"x": X}, 0, values)["total"]
    assert np.array_equal(batch(sums(), {"x": np.asfortranarray(X)}, 0, values)["total"], plain)
    assert np.array_equal(batch(sums(), {"x": np.repeat(X, 2, axis=1)[:, ::2]}, 0, values)["total"], plain)


@pytest.mark.parametrize("x", [X[0], X.astype(np.float32), X[None]])
def test_input_of_another_shape_or_type_is_refused(x: Floats) -> None:
    with pytest.raises(InputError, match="float64"):
        batch(sums(), {"x": x}, 0, sums().values())
