"""What an indicator states about itself, and the one way it is run: whole, row by row, or in parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from sextant.errors import ConfigError, InputError
from sextant.model.bar import Floats

State = tuple[Any, ...]
"""Arrays whose last axis is the instrument; :func:`step` and :func:`fold` update them in place."""

Values = Mapping[str, Any]
"""Resolved parameters by name; constants of the instruments, float64 (S,), under their own names."""

Rows = Callable[[Values], int]
Holes = Literal["restart", "tolerate"]
Advance = Callable[[State, int, tuple[Floats, ...], tuple[Floats, ...], tuple[Any, ...]], None]
"""``advance(state, bar_index, inputs, outputs, params)``: reads inputs (T, S), updates the state, fills outputs (T, S)."""

MAX_WINDOW: Final = 500


@dataclass(frozen=True)
class Param:
    """A named number of an indicator with its bounds, both inclusive; or a word out of ``choices``.

    Parameters
    ----------
    name, default, low, high
        For a choice the number is the position of the word.
    whole
        Whether only integers are allowed.
    choices
        Words a caller may say instead of their position.
    """

    name: str
    default: float
    low: float
    high: float
    whole: bool = True
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a default outside its own bounds."""
        if not self.low <= self.default <= self.high:
            raise ConfigError(
                f"Parameter {self.name}: default {self.default} is outside {self.low}..{self.high}."
            )

    def read(self, given: Any) -> int | float:
        """The value as an integer or a float, as declared.

        Raises
        ------
        InputError
            If the value is no such number or outside the bounds.
        """
        if given in self.choices:
            return self.choices.index(given)
        allowed = f"one of {self.choices}" if self.choices else f"{self.low}..{self.high}"
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = math.nan
        if not self.low <= value <= self.high or (self.whole and value != math.floor(value)):
            raise InputError(
                f"Parameter {self.name} is {given!r}; allowed is {allowed}.", reason="out_of_range"
            )
        return int(value) if self.whole else value


def window(default: int, name: str = "window", low: int = 2, high: int = MAX_WINDOW) -> Param:
    """A parameter that counts rows."""
    return Param(name, default, low, high)


@dataclass(frozen=True)
class Output:
    """One column an indicator returns.

    Parameters
    ----------
    name, unit
        As shown to users.
    low, high
        Range of the values with default parameters, both inclusive.
    warmup
        Rows without a value, where fewer than the indicator's own.
    anchored
        False where the value depends on the whole past, so that two anchors need not agree.
    """

    name: str
    unit: str
    low: float = -math.inf
    high: float = math.inf
    warmup: Rows | None = None
    anchored: bool = True


@dataclass(frozen=True, eq=False)
class Indicator:
    """Everything an indicator states about itself; the constant ``INDICATOR`` of its file.

    Parameters
    ----------
    name
        The name of its module.
    inputs
        Names of the columns it reads, in the order ``advance`` takes them.
    outputs, params
        In the order ``advance`` takes them.
    warmup
        Rows after an anchor without a value: NaN exactly there.
    settle
        Rows after which two anchors agree to 1e-6 of the column's largest value.
    start
        ``start(S, values) -> state`` of S cold columns.
    advance
        Moves the state over any number of rows; a step is one row, a batch all of them.
    source
        Where the formula is from.
    holes
        ``restart``: a NaN input makes the column cold. ``tolerate``: it adds nothing.
    constants
        Numbers each instrument has for itself (price step, lot), to be given with the parameters.
    kernel
        A faster form of the batch from a cold state; must equal ``advance`` bit for bit.
    rising
        Whole parameters that must rise strictly in this order.
    known_gaps
        What a reader must know, shown in the reference page.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    params: tuple[Param, ...]
    warmup: Rows
    settle: Rows
    start: Callable[[int, Values], State]
    advance: Advance
    source: str
    holes: Holes = "restart"
    constants: tuple[str, ...] = ()
    kernel: Advance | None = None
    rising: tuple[str, ...] = ()
    known_gaps: tuple[str, ...] = ()

    def values(self, **changes: Any) -> dict[str, Any]:
        """All parameters with some changed, and the constants as float64.

        Raises
        ------
        InputError
            If a name is unknown, a value outside its bounds, or a constant missing or not above 0.
        """
        found: dict[str, Any] = {param.name: param.read(param.default) for param in self.params}
        known = {param.name: param for param in self.params}
        for name, given in changes.items():
            if name in known:
                found[name] = known[name].read(given)
            elif name in self.constants:
                found[name] = np.atleast_1d(np.asarray(given, dtype=np.float64))
                if not np.all(found[name] > 0):
                    raise InputError(f"Constant {name} of {self.name} must be above 0.")
            else:
                raise InputError(f"Indicator {self.name} has no parameter '{name}'.", reason="unknown_field")
        for before, after in itertools.pairwise(self.rising):
            if found[before] >= found[after]:
                raise InputError(
                    f"Parameter {before} is {found[before]} and must be below {after}, {found[after]}.",
                    reason="out_of_range",
                )
        for name in self.constants:
            if name not in found:
                raise InputError(f"Indicator {self.name} needs the constant '{name}' of each instrument.")
        return found

    def warmups(self, values: Values) -> dict[str, int]:
        """Rows without a value after an anchor, by output."""
        return {out.name: (out.warmup or self.warmup)(values) for out in self.outputs}


def begin(indicator: Indicator, columns: int, values: Values) -> State:
    """The state of ``columns`` cold columns; updated in place by :func:`step` and :func:`fold`."""
    return indicator.start(columns, values)


def fold(
    indicator: Indicator, state: State, bar_index: int, inputs: Mapping[str, Floats], values: Values
) -> dict[str, Floats]:
    """The outputs of some consecutive rows, float64 (T, S) by name; the state is moved past them in place.

    Parameters
    ----------
    indicator, state, values
        As from :func:`begin`.
    bar_index
        ``open_ns // interval_ns`` of the first row; the rows follow one another without a gap.
    inputs
        float64 (T, S) by name; NaN marks a hole. Never written to.

    Raises
    ------
    InputError
        If an input is missing or shapes disagree.
    """
    columns, outputs, params = _arguments(indicator, inputs, values)
    indicator.advance(state, int(bar_index), columns, outputs, params)
    return _named(indicator, outputs)


def batch(
    indicator: Indicator, inputs: Mapping[str, Floats], bar_index: int, values: Values
) -> dict[str, Floats]:
    """The outputs of all rows from cold columns, float64 (T, S) by name.

    Parameters
    ----------
    indicator, values
        What to compute and its resolved parameters.
    inputs, bar_index
        As in :func:`fold`.

    Raises
    ------
    InputError
        If an input is missing or shapes disagree.
    """
    columns, outputs, params = _arguments(indicator, inputs, values)
    state = begin(indicator, columns[0].shape[1], values)
    (indicator.kernel or indicator.advance)(state, int(bar_index), columns, outputs, params)
    return _named(indicator, outputs)


def step(
    indicator: Indicator, state: State, bar_index: int, row: Mapping[str, Floats], values: Values
) -> dict[str, Floats]:
    """The outputs of the next row, float64 (S,) by name; the state is moved past it in place.

    Parameters
    ----------
    indicator, state, bar_index, values
        As in :func:`fold`.
    row
        float64 (S,) by name.
    """
    rows = {name: np.atleast_2d(row[name]) for name in indicator.inputs if name in row}
    return {name: out[0] for name, out in fold(indicator, state, bar_index, rows, values).items()}


def preview(
    indicator: Indicator, state: State, bar_index: int, row: Mapping[str, Floats], values: Values
) -> dict[str, Floats]:
    """What :func:`step` would return for a forming bar; the state is left as it is (a copy is stepped and dropped)."""
    return step(indicator, copy_state(state), bar_index, row, values)


def copy_state(state: State) -> State:
    """An independent copy of a state."""
    return tuple(copy_state(part) if isinstance(part, tuple) else part.copy(order="K") for part in state)


def _arguments(
    indicator: Indicator, inputs: Mapping[str, Floats], values: Values
) -> tuple[tuple[Floats, ...], tuple[Floats, ...], tuple[Any, ...]]:
    columns = tuple(_readable(indicator, inputs, name) for name in indicator.inputs)
    shape = columns[0].shape
    for name, column in zip(indicator.inputs, columns, strict=True):
        if column.shape != shape:
            raise InputError(f"Input {name} of {indicator.name} is {column.shape}; the others are {shape}.")
    outputs = tuple(np.empty(shape) for _ in indicator.outputs)
    return columns, outputs, tuple(values[param.name] for param in indicator.params)


def _named(indicator: Indicator, outputs: tuple[Floats, ...]) -> dict[str, Floats]:
    return {out.name: column for out, column in zip(indicator.outputs, outputs, strict=True)}


def _readable(indicator: Indicator, inputs: Mapping[str, Floats], name: str) -> Floats:
    column = inputs.get(name)
    if column is None:
        raise InputError(f"Indicator {indicator.name} needs the column '{name}'.", reason="missing_column")
    if column.ndim != 2 or column.dtype != np.float64:
        raise InputError(
            f"Input {name} of {indicator.name} is {column.dtype} {column.shape}; float64 (T, S) is needed."
        )
    # A read-only view gives every caller's array one type, so that a kernel is compiled once.
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view
