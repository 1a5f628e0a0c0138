"""Funding rate brought to eight hours, and to a year."""

from __future__ import annotations

from typing import Any, Final

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, mask, tick, void
from sextant.model.bar import Floats

EIGHT_HOURS_S: Final = 28_800.0
PER_YEAR: Final = 1_095.0


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return (counter(columns),)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    (count,) = state
    rate, interval_s = inputs
    f8, f8_annual = outputs
    for t in range(rate.shape[0]):
        tick(count, rate[t])
        void(count, interval_s[t])
        for s in range(rate.shape[1]):
            f8[t, s] = rate[t, s] * EIGHT_HOURS_S / interval_s[t, s]
            f8_annual[t, s] = f8[t, s] * PER_YEAR
        mask(f8[t], count, 0)
        mask(f8_annual[t], count, 0)


INDICATOR = Indicator(
    name="funding",
    inputs=("funding_rate", "funding_interval_s"),
    outputs=(Output("f8", "fraction per 8 h"), Output("f8_annual", "fraction per year")),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # there is nothing to wait for
    settle=lambda p: 0,  # noqa: ARG005  # as above
    source="rate*28800/funding_interval_s; times 1095 for a year; positive: longs pay shorts",
    start=_start,
    advance=_advance,
)
