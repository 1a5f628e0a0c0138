"""From what a strategy computed to a verdict: the steps all strategies of single instruments share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.times import Interval
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns, change
from sextant.strategies.contract import Gate, Hedge, Need, Signals, Verdict
from sextant.strategies.gates import (
    ANYTHING,
    Admission,
    common_gates,
    first_gates,
    fold,
    lean,
    room_gates,
    trigger_age,
)
from sextant.strategies.inputs import missing_inputs, settled_rows


@dataclass(frozen=True, eq=False)
class Acted:
    """What follows from what a strategy said, before anything is read that has no history.

    Parameters
    ----------
    signals
        Directions only where they may be acted on.
    folded, passing
        The strategy's own gates that were read, and where these and the common ones with a history passed, bool (T, S).
    age, whole
        The gate of the trigger's age by them, and where that passed too, bool (T, S).
    """

    signals: Signals
    folded: tuple[Gate, ...]
    passing: Flags
    age: Gate
    whole: Flags


@dataclass(frozen=True, eq=False)
class Spoken:
    """What a strategy computed, before the common gates.

    Parameters
    ----------
    direction
        float64 (T, S): +1, -1, 0; NaN where unknown.
    strength, stop, target
        float64 (T, S); see :class:`~sextant.strategies.contract.Signals`.
    gates
        The strategy's own, in declared order.
    horizon_rows
        Time barrier in rows.
    facts
        Columns worth showing, by name; ``sigma``, the volatility of one bar as a fraction, is required.
    params
        The parameters it was asked with.
    settle_rows
        Rows that must lie behind a row that signals: four times the longest recursive length.
    exit_flag, exit_close
        See :class:`~sextant.strategies.contract.Signals`; None for never.
    admission
        Which instruments it may speak about.
    limit, largest_usd, hedge
        See :class:`~sextant.strategies.contract.Signals` and :class:`~sextant.strategies.contract.Verdict`.
    acted
        What follows from it, where that is known already; see :func:`spoken_once`.
    read_later
        Names of facts whose rows are read by gates that are added later.
    """

    direction: Floats
    strength: Floats
    stop: Floats
    target: Floats
    gates: tuple[Gate, ...]
    horizon_rows: int
    facts: Mapping[str, Floats]
    params: Mapping[str, float]
    settle_rows: int
    exit_flag: NDArray[np.bool_] | None = None
    exit_close: Floats | None = None
    admission: Admission = ANYTHING
    limit: Floats | None = None
    largest_usd: Floats | None = None
    hedge: Hedge | None = None
    acted: Acted | None = None
    read_later: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a strategy's words are made of besides bars and instruments.

    Parameters
    ----------
    strategy, params
        Whose words, and with which parameters.
    state
        Digest of the histories that were read; empty for none.
    """

    strategy: str
    params: Mapping[str, float]
    state: bytes = b""


def silent(interval: Interval, view: View, admission: Admission = ANYTHING) -> Verdict | None:
    """The verdict of a strategy for which the view has no bars or no instrument it trades; None where it has both."""
    if not (interval in view.bars and view.bars[interval].rows):
        return skipped(interval, view, f"no {interval} bars")
    if view.size and not admission.admits(view).any():
        return skipped(interval, view, f"no {' or '.join(admission.kinds)} instruments")
    return None


def skipped(interval: Interval, view: View, reason: str) -> Verdict:
    """The verdict of a strategy that is silent about the whole market, for a reason."""
    shape = (0, view.size)
    nothing = np.empty(shape)
    signals = Signals(
        direction=np.empty(shape, dtype=np.int8),
        strength=nothing,
        stop=nothing,
        target=nothing,
        exit_flag=np.empty((*shape, 2), dtype=np.bool_),
        horizon_rows=1,
    )
    return Verdict(interval, signals, (), (None,) * view.size, {}, skipped=reason)


def compose(columns: Columns, interval: Interval, needs: tuple[Need, ...], spoken: Spoken) -> Verdict:
    """The verdict: common gates around the strategy's own, directions only where they may be acted on.

    Notes
    -----
    A row may carry a direction once ``settle_rows``, or the rows of the bars need if those are fewer, lie behind it
    without a gap, and where stop and target are prices. The last row is answered only with all rows of the need.
    """
    acted = spoken.acted or _acted(columns, interval, needs, spoken)
    admission = spoken.admission
    age, passing = _aged(acted, spoken)
    gates = (
        *common_gates(columns, interval, admission),
        *spoken.gates,
        *_quote_gates(columns, interval, spoken),
        age,
    )
    missing = missing_inputs(columns, needs, admission.admits(columns.view))
    return Verdict(
        interval,
        acted.signals,
        tuple(map(lean, gates)) if columns.lasts else gates,
        missing,
        spoken.facts,
        params=spoken.params,
        largest_usd=spoken.largest_usd,
        hedge=spoken.hedge,
        passing=passing if columns.lasts else None,
    )


def spoken_once(
    columns: Columns,
    interval: Interval,
    needs: tuple[Need, ...],
    source: Source,
    make: Callable[[], Spoken],
) -> Spoken:
    """What a strategy computed from what seldom changes, made once for all views in which that is the same.

    Parameters
    ----------
    source
        What it was made of besides bars and instruments.
    make
        What it says. Gates may be added to it before it is composed; everything that decides ``acted`` must stay.

    Notes
    -----
    Where it is kept for views to come, what they do not read is let go: rows above the last of all but the signals.
    """

    def acted() -> Spoken:
        spoken = make()
        spoken = dataclasses.replace(spoken, acted=_acted(columns, interval, needs, spoken))
        return _lean(spoken) if columns.lasts else spoken

    key = ("spoken", source.strategy, tuple(sorted(source.params.items())))
    return columns.once(key, acted, lasting=interval, state=source.state)


def settled(made: dict[Hashable, Any], verdict: Verdict) -> Verdict:
    """The verdict without the prices above its last row, in the place of the whole one for views to come.

    Parameters
    ----------
    made
        What is kept of the bars it speaks about.

    Notes
    -----
    For whoever knows its past events already. Directions and reasons to leave stay: ideas are followed by them.
    """
    told = verdict.signals
    signals = dataclasses.replace(
        told,
        strength=_last(told.strength),
        stop=_last(told.stop),
        target=_last(told.target),
        limit=None if told.limit is None else _last(told.limit),
    )
    hedge = None if verdict.hedge is None else Exposed(verdict.hedge.exposures())

    def without(value: Any) -> Any:
        if not isinstance(value, Spoken) or value.acted is None or value.acted.signals is not told:
            return value
        return dataclasses.replace(
            value, acted=dataclasses.replace(value.acted, signals=signals), hedge=hedge
        )

    change(made, without)
    return dataclasses.replace(verdict, signals=signals, hedge=hedge)


@dataclass(frozen=True, eq=False)
class Exposed:
    """What is held against each instrument, as far as the last row needs it."""

    value: Floats

    def returns(self, column: Integers, row: Integers, first: Integers, last: Integers) -> Floats:  # noqa: ARG002  # of Hedge
        """Not known any more.

        Raises
        ------
        AssertionError
            Always: past events were made before the rows were let go.
        """
        raise AssertionError("Returns of a hedge were asked for after its rows were let go.")

    def exposures(self) -> Floats:
        """Exposure of each instrument to each factor on the last row, float64 (S, k)."""
        return self.value


def _lean(spoken: Spoken) -> Spoken:
    """What was said, without the rows that no later view reads."""
    acted = spoken.acted
    assert acted is not None  # noqa: S101  # the caller knows
    gates = {id(gate): lean(gate) for gate in spoken.gates}
    return dataclasses.replace(
        spoken,
        direction=_last(spoken.direction),
        strength=_last(spoken.strength),
        stop=_last(spoken.stop),
        target=_last(spoken.target),
        exit_flag=None,
        exit_close=None,
        limit=None,
        gates=tuple(gates[id(gate)] for gate in spoken.gates),
        facts={
            name: values if name in spoken.read_later else _last(values)
            for name, values in spoken.facts.items()
        },
        acted=dataclasses.replace(
            acted, folded=tuple(gates[id(gate)] for gate in acted.folded), age=lean(acted.age)
        ),
    )


def _last(values: Floats) -> Floats:
    """The last row, (1, S), in memory of its own."""
    return values[-1:].copy()


def _acted(columns: Columns, interval: Interval, needs: tuple[Need, ...], spoken: Spoken) -> Acted:
    """The signals of what was said, and where its gates passed."""
    rows_needed = max((need.rows for need in needs if need.interval == interval), default=1)
    shape = spoken.direction.shape
    direction, stop, target, exit_close = (np.empty(shape) for _ in range(4))
    given = spoken.stop if spoken.exit_close is None else spoken.exit_close
    _act(
        float(min(rows_needed, spoken.settle_rows)),
        (settled_rows(columns, interval), spoken.direction, spoken.strength),
        (spoken.stop, spoken.target, given),
        (direction, stop, target, exit_close),
    )
    exits = spoken.exit_flag
    signals = Signals(
        direction=direction.astype(np.int8),
        strength=spoken.strength,
        stop=stop,
        target=target,
        exit_flag=np.zeros((*shape, 2), dtype=np.bool_) if exits is None else exits,
        horizon_rows=spoken.horizon_rows,
        exit_close=None if spoken.exit_close is None else exit_close,
        limit=None if spoken.limit is None else np.where(direction != 0, spoken.limit, np.nan),
    )
    common = first_gates(columns, interval, spoken.admission)
    folded = tuple(gate for gate in spoken.gates if not gate.live_only)
    passing = fold((*common, *folded), np.ones(shape, dtype=np.bool_))
    age = trigger_age(passing, direction, spoken.horizon_rows)
    return Acted(signals, folded, passing, age, fold((age,), passing.copy()))


def _aged(acted: Acted, spoken: Spoken) -> tuple[Gate, Flags]:
    """The age of the trigger and where all passed, made anew where gates were added that have a history."""
    known = {id(gate) for gate in acted.folded}
    added = [gate for gate in spoken.gates if not gate.live_only and id(gate) not in known]
    if not added:
        return acted.age, acted.whole
    passing = fold(added, acted.passing.copy())
    age = trigger_age(passing, acted.signals.direction.astype(np.float64), spoken.horizon_rows)
    return age, fold((age,), passing)


@rolling.compiled
def _act(
    settle: float, said: tuple[Floats, ...], prices: tuple[Floats, ...], out: tuple[Floats, ...]
) -> None:
    # Fills direction, stop, target and exit close where a row may be acted on, and 0 and NaN elsewhere.
    behind, direction, strength = said
    stop, target, leave = prices
    acted, acted_stop, acted_target, acted_leave = out
    for t in range(direction.shape[0]):
        for s in range(direction.shape[1]):
            d = direction[t, s]
            able = behind[t, s] >= settle and stop[t, s] > 0 and target[t, s] > 0
            if able and d != 0 and np.isfinite(d) and np.isfinite(strength[t, s]):
                acted[t, s], acted_leave[t, s] = d, leave[t, s]
                acted_stop[t, s], acted_target[t, s] = stop[t, s], target[t, s]
            else:
                acted[t, s], acted_leave[t, s] = 0.0, np.nan
                acted_stop[t, s], acted_target[t, s] = np.nan, np.nan


def _quote_gates(columns: Columns, interval: Interval, spoken: Spoken) -> tuple[Gate, ...]:
    """Live gates: how much of the ways to stop and target the quote has left, since the last close."""
    d, close = spoken.direction[-1], columns.frame(interval).close[-1]
    stop, target = spoken.stop[-1], spoken.target[-1]

    def ways(price: Floats) -> tuple[Floats, Floats]:
        return d * (price - stop), d * (target - price)

    return room_gates(ways(columns.touch.mid), ways(close))
