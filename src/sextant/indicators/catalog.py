"""All indicators by name, and one call that computes any of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sextant.errors import InputError, NotFound
from sextant.indicators.contract import Indicator, batch
from sextant.kit.plugins import collect
from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.times import DAY_NS, INTERVAL_NS
from sextant.model.view import BarFrame


@functools.cache
def indicators() -> Mapping[str, Indicator]:
    """All indicators by name, in alphabetical order.

    Raises
    ------
    ConfigError
        If a file of the library is broken or names its indicator otherwise than itself.
    """
    return MappingProxyType(collect("sextant.indicators.library", "INDICATOR", Indicator))


def indicator(name: str) -> Indicator:
    """The indicator of that name.

    Raises
    ------
    NotFound
        If there is none.
    """
    found = indicators().get(name)
    if found is None:
        raise NotFound(f"There is no indicator '{name}'.")
    return found


def compute(
    name: str, bars: BarFrame | Mapping[str, Floats], *, bar_index: int | None = None, **params: Any
) -> dict[str, Floats]:
    """The outputs of an indicator, float64 (T, S) by output name; NaN while warming.

    Parameters
    ----------
    name
        Name of the indicator.
    bars
        A frame, or float64 (T, S) columns by name.
    bar_index
        ``open_ns // interval_ns`` of the first row; required with columns, taken from a frame.
    params
        Parameters other than their defaults, and constants. ``bars_per_day`` is taken from a frame.

    Raises
    ------
    NotFound
        If there is no such indicator.
    InputError
        If a column is missing, a parameter out of its bounds, or ``bar_index`` not given.
    """
    chosen = indicator(name)
    if isinstance(bars, BarFrame):
        interval = INTERVAL_NS[bars.interval]
        if any(param.name == "bars_per_day" for param in chosen.params):
            params.setdefault("bars_per_day", DAY_NS // interval)
        columns = {field: getattr(bars, field) for field in BAR_FIELDS}
        first = int(bars.open_ns[0]) // interval if bars.rows else 0
        return batch(chosen, columns, first, chosen.values(**params))
    if bar_index is None:
        raise InputError(f"Indicator {name} on plain columns needs the bar_index of their first row.")
    return batch(chosen, bars, bar_index, chosen.values(**params))
