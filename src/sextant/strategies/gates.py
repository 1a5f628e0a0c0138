"""Gates: conditions as data, the ones all strategies share, and what they make of the last row.

A gate passes where ``sense * (value - threshold) >= 0``. Its distance is
``max(0, -sense * (value - threshold) / scale)``: 0.25 means a quarter of the threshold is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import STABLE_ASSETS, Kind, is_dollar
from sextant.model.opportunity import GateReading
from sextant.model.times import DAY_NS, INTERVAL_NS, MINUTE_NS, Interval
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Gate, Verdict
from sextant.strategies.prices import usd_now

NEAR: Final = 0.25
"""Greatest distance of every failed gate at which a candidate is a near miss."""

LEAST_ROOM: Final = 0.5
"""Share of the way to stop, and of that to target, that a quote must have left for past events to speak for it."""

KIND_GATE: Final = "kind"
"""The gate that says whether the strategy trades such instruments at all."""

VOLUME_FLOORS_USD: Final[dict[Kind, float]] = {"spot": 1e6, "perpetual": 5e6}
SPREAD_CAPS_BPS: Final[dict[Kind, float]] = {"spot": 30.0, "perpetual": 15.0}

_WHOLE_DAYS_FROM_NS: Final = 30 * MINUTE_NS

_VOLUME_FRAMES: Final[tuple[Interval, ...]] = ("1h", "30m", "4h", "5m", "1d", "1m")


@dataclass(frozen=True)
class Admission:
    """Which instruments a strategy may speak about, as far as the common gates decide it.

    Parameters
    ----------
    kinds
        Kinds that are traded.
    floor_usd, spread_cap_bps
        Least 24 h turnover and widest quoted spread where they differ from the common ones of the kind; else None.
    """

    kinds: tuple[Kind, ...] = ("spot", "perpetual")
    floor_usd: float | None = None
    spread_cap_bps: float | None = None

    def admits(self, view: View) -> Flags:
        """Instruments of a kind that is traded, bool (S,).

        Notes
        -----
        Lots of inverse contracts are dollars; sizes here are base units, so no bar strategy speaks about one.
        """
        known: Flags | None = view.kept.get(("admits", self.kinds))
        if known is None:
            admitted = [
                spec.instrument.kind in self.kinds and spec.style == "linear" for spec in view.instruments
            ]
            known = view.kept["admits", self.kinds] = np.array(admitted, dtype=np.bool_)
            known.flags.writeable = False
        return known


ANYTHING: Final = Admission()


def first_gates(columns: Columns, interval: Interval, admission: Admission = ANYTHING) -> tuple[Gate, ...]:
    """The common gates that stand before a strategy's own: kind, status, volume, spread, not stable against stable.

    Notes
    -----
    On frames under half an hour the turnover of less than a day counts where it reaches the floor already.
    """
    return _with_spread(columns, admission, _first(columns, interval, admission))


def common_gates(columns: Columns, interval: Interval, admission: Admission = ANYTHING) -> tuple[Gate, ...]:
    """The same, lean where what is made is kept for views to come: for verdicts whose rows are folded already."""
    if not columns.lasts:
        return first_gates(columns, interval, admission)
    made = columns.once(
        ("common_gates", interval, admission),
        lambda: tuple(map(lean, _first(columns, interval, admission))),
        lasting=interval,
    )
    return _with_spread(columns, admission, made)


def _first(columns: Columns, interval: Interval, admission: Admission) -> tuple[Gate, ...]:
    return columns.once(
        ("first_gates", interval, admission),
        lambda: _lasting_gates(columns, interval, admission),
        lasting=interval,
        spent=True,
    )


def _with_spread(columns: Columns, admission: Admission, lasting: tuple[Gate, ...]) -> tuple[Gate, ...]:
    kind, status, volume, stable = lasting
    return kind, status, volume, spread_gate(columns, admission), stable


def _lasting_gates(
    columns: Columns, interval: Interval, admission: Admission
) -> tuple[Gate, Gate, Gate, Gate]:
    """The common gates that read nothing but bars and instruments: kind, status, volume, stable."""
    view = columns.view
    specs = view.instruments
    tradable = admission.admits(view).astype(np.float64)
    trading = np.array([float(spec.status == "trading") for spec in specs])
    stable = [spec.instrument.base in STABLE_ASSETS and is_dollar(spec.instrument.quote) for spec in specs]
    floors = _by_kind(view, VOLUME_FLOORS_USD, admission.floor_usd)
    shape = (columns.frame(interval).rows, view.size)
    return (
        Gate(KIND_GATE, np.broadcast_to(tradable, shape), 1.0, 1),
        Gate("status", trading[None, :], 1.0, 1, live_only=True),
        Gate(
            "volume_24h_usd",
            _turnover_of_a_day(columns, interval, floors),
            VOLUME_FLOORS_USD["spot"],
            1,
            "USD",
            thresholds=floors,
        ),
        Gate("stable_quote", np.broadcast_to(np.array(stable, dtype=np.float64), shape), 0.0, -1),
    )


def spread_gate(columns: Columns, admission: Admission) -> Gate:
    """The common gate that reads quotes."""
    return columns.once(
        ("spread_gate", admission),
        lambda: Gate(
            "spread_bps",
            columns.touch.spread_bps[None, :],
            SPREAD_CAPS_BPS["spot"],
            -1,
            "bps",
            live_only=True,
            thresholds=_by_kind(columns.view, SPREAD_CAPS_BPS, admission.spread_cap_bps),
        ),
    )


def _by_kind(view: View, limits: Mapping[Kind, float], instead: float | None) -> Floats:
    """The limit of each instrument's kind, that of perpetuals where its kind has none; or the one given instead, (S,)."""
    if instead is not None:
        return np.full(view.size, instead)
    return np.array([limits.get(spec.instrument.kind, limits["perpetual"]) for spec in view.instruments])


def _turnover_of_a_day(columns: Columns, interval: Interval, floors: Floats) -> Floats:
    """Turnover of 24 hours, USD; of fewer where a short frame is shorter and they reach the floors (S,) already."""
    day = columns.volume_24h_usd(interval)
    if INTERVAL_NS[interval] >= _WHOLE_DAYS_FROM_NS:
        return day
    so_far = turnover_so_far(columns, interval)
    return rolling.instead(day, so_far, floors)


def turnover_so_far(columns: Columns, interval: Interval) -> Floats:
    """Turnover of the last 24 hours, or of as many of them as there are without a gap, USD."""
    rows = max(1, DAY_NS // INTERVAL_NS[interval])
    return columns.once(
        ("turnover_so_far", interval),
        lambda: rolling.sum_so_far(columns.turnover_usd(interval), rows),
        lasting=interval,
        spent=True,
    )


def room_gates(left: tuple[Floats, Floats], whole: tuple[Floats, Floats]) -> tuple[Gate, Gate]:
    """Live gates: how much of the ways to stop and target is left.

    Parameters
    ----------
    left, whole
        From the quote and from the last close, each to stop and to target, (n,), positive while ahead, in any unit.

    Notes
    -----
    Past events entered at the open after their close, with these ways whole. A quote that has used most of one of them up
    is another bet, of which the evidence tells nothing. A way that was behind at the close already has 0 left; without a
    direction there are no ways, and nothing of them is used up.
    """

    def share(rest: Floats, way: Floats) -> Floats:
        none = np.where((rest == 0) & (way == 0), 1.0, 0.0 * rest)
        return np.where(way <= 0, none, rolling.ratio(rest, way))

    stop, target = map(share, left, whole)
    return (
        Gate("room_to_stop", stop[None, :], LEAST_ROOM, 1, "of the way", live_only=True),
        Gate("room_to_target", target[None, :], LEAST_ROOM, 1, "of the way", live_only=True),
    )


def trigger_age(passing: Flags, direction: Floats, horizon_rows: int) -> Gate:
    """The common gate that stands last: rows since all other historic gates first passed together.

    Parameters
    ----------
    passing
        bool (T, S): where all other historic gates of the strategy passed.
    direction
        float64 (T, S): +1, -1, 0.
    horizon_rows
        Its sixth, but at least 2 rows, is the greatest age.

    Notes
    -----
    Counted from the first row of the present run in one direction; 0 where the other gates do not pass.
    """
    age = rolling.signal_age(passing, direction)
    return Gate("trigger_age_rows", age, max(2.0, horizon_rows / 6.0), -1, "rows")


def limits_of(gate: Gate) -> Floats:
    """The thresholds of a gate, float64 (S,)."""
    return gate.thresholds if gate.thresholds is not None else np.full(gate.values.shape[1], gate.threshold)


def passed(gate: Gate) -> Flags:
    """Where a gate passes, bool (T, S), or (1, S) of a live gate; NaN passes only an optional gate."""
    good: Flags = gate.sense * (gate.values - limits_of(gate)) >= 0
    return good | np.isnan(gate.values) if gate.optional else good


def distances(gate: Gate) -> Floats:
    """float64 (S,): how far the last row is from passing, in shares of the threshold; NaN where it cannot be read."""
    limits = limits_of(gate)
    scale = np.abs(limits) if gate.scale is None else np.full(limits.shape, gate.scale)
    scale = np.where(scale == 0, 1.0, scale)
    distance: Floats = np.maximum(0.0, -gate.sense * (gate.values[-1] - limits) / scale) + 0.0
    return distance


def historic_pass(verdict: Verdict) -> Flags:
    """Where every gate that has a history passed, bool (T, S); live gates are left out, evidence says so."""
    if verdict.passing is not None:
        return verdict.passing
    return fold(verdict.gates, np.ones(verdict.signals.direction.shape, dtype=np.bool_))


def without(verdict: Verdict) -> tuple[str, ...]:
    """Names of the live gates that evidence could not apply."""
    return tuple(gate.name for gate in verdict.gates if gate.live_only)


def fold(gates: Iterable[Gate], into: Flags) -> Flags:
    """``into``, bool (T, S), cleared where one of the gates that have a history did not pass."""
    for gate in gates:
        if gate.past:
            raise AssertionError(f"The rows of gate {gate.name} were let go before they were read.")
        if not gate.live_only:
            rolling.fold_gate(gate.values, limits_of(gate), gate.sense, optional=gate.optional, into=into)
    return into


def lean(gate: Gate) -> Gate:
    """The gate with its last row and, in the place of those above it, what a scan reads off them: since when it fails."""
    rows = len(gate.values)
    if gate.live_only or gate.past or rows < 2:
        return gate
    kept = dataclasses.replace(gate, values=gate.values[-1:].copy(), past=rows - 1)
    kept.kept["failing_from"] = rolling.failing_from(gate.values, limits_of(gate), gate.sense)
    return kept


@dataclass(frozen=True, eq=False)
class LastRow:
    """What one gate, by its name, says about the last row, (S,); NaN where it cannot be read."""

    name: str
    values: Floats
    limits: Floats
    distances: Floats
    passed: Flags

    def reading(self, column: int) -> GateReading:
        """What it says of one instrument, in plain numbers; made when it is asked for."""
        made = self._made[column]
        if made is None:
            made = self._made[column] = GateReading(self.name, *(part[column] for part in self._plain))
        return made

    @cached_property
    def _made(self) -> list[GateReading | None]:
        return [None] * len(self.values)

    @cached_property
    def _plain(self) -> tuple[list[Any], ...]:
        return _known(self.values), self.limits.tolist(), self.passed.tolist(), _known(self.distances)


def last_row(gate: Gate) -> LastRow:
    """What a gate says about the last row; made once, as long as the gate lasts."""

    def make() -> LastRow:
        last = dataclasses.replace(gate, values=gate.values[-1:])
        return LastRow(gate.name, last.values[0], limits_of(gate), distances(gate), passed(last)[0])

    return gate.once("last_row", make)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What the gates of a verdict say about its last row.

    Parameters
    ----------
    gates
        G gates in declared order.
    rows
        What each of them says.
    passed
        bool (G, S).
    unreadable
        bool (G, S): a required gate met NaN.
    """

    gates: tuple[Gate, ...]
    rows: tuple[LastRow, ...]
    passed: Flags
    unreadable: Flags

    def readings(self, column: int) -> tuple[GateReading, ...]:
        """All gates of one instrument, in declared order."""
        known = self._readings.get(column)
        if known is None:
            known = self._readings[column] = tuple(row.reading(column) for row in self.rows)
        return known

    @cached_property
    def _readings(self) -> dict[int, tuple[GateReading, ...]]:
        return {}

    def failing_from(self, index: int) -> Integers:
        """Int64 (S,): the first row of the present failing run of a gate; its row count where it passes."""
        gate = self.gates[index]
        return gate.once(
            "failing_from", lambda: rolling.failing_from(gate.values, limits_of(gate), gate.sense)
        )

    @cached_property
    def failed_places(self) -> list[int]:
        """By instrument, the first gate that failed; -1 where none did."""
        return _places(~self.passed)

    @cached_property
    def blind_places(self) -> list[int]:
        """By instrument, the first required gate that could not be read; -1 where all could."""
        return _places(self.unreadable)

    @cached_property
    def failed_counts(self) -> list[int]:
        """By instrument, how many gates failed."""
        counts: list[int] = np.count_nonzero(~self.passed, axis=0).tolist()
        return counts


def _places(flags: Flags) -> list[int]:
    """By column of (G, S), the first row that is set; -1 where none is."""
    if not len(flags):
        return [-1] * flags.shape[1]
    first: list[int] = np.where(flags.any(axis=0), flags.argmax(axis=0), -1).tolist()
    return first


def assess(gates: tuple[Gate, ...], size: int) -> Assessment:
    """The readings of all gates of so many candidates on the last row."""
    rows = tuple(last_row(gate) for gate in gates)
    empty = np.empty((0, size), dtype=np.bool_)
    required = np.array([not gate.optional for gate in gates], dtype=np.bool_)[:, None]
    return Assessment(
        gates=gates,
        rows=rows,
        passed=np.array([row.passed for row in rows]) if rows else empty,
        unreadable=np.array([np.isnan(row.values) for row in rows]) & required if rows else empty,
    )


def failing_since_ns(read: Assessment, index: int, view: View, interval: Interval) -> Integers:
    """When the first row of the present failing run of a gate closed, int64 (S,); -1 where that is before what is known of it."""
    gate = read.gates[index]
    frame, rows = view.bars[interval], gate.past + len(gate.values)
    if gate.live_only:
        return np.full(gate.values.shape[1], -1, dtype=np.int64)
    first, skipped = read.failing_from(index), frame.rows - rows
    unknown = (first >= rows) | ((first == 0) & (skipped > 0))
    opened = frame.open_ns[np.where(unknown, 0, skipped + first)]
    return np.where(unknown, -1, opened + INTERVAL_NS[interval])


def flips_if(gate: Gate, value: float, limit: float) -> str:
    """What would let a failed gate pass, in words.

    Examples
    --------
    >>> flips_if(Gate("trend", np.array([[0.45]]), 0.5, 1), 0.45, 0.5)
    'trend rises from 0.45 to 0.5'
    """
    unit = f" {gate.unit}" if gate.unit else ""
    move = "rises" if gate.sense > 0 else "falls"
    return f"{gate.name} {move} from {value:.4g} to {limit:.4g}{unit}"


def volume_24h_usd(view: View) -> Floats:
    """Turnover of the last 24 hours, USD, float64 (S,); NaN where unknown.

    Notes
    -----
    The venue's own 24 h turnover where it states one, else the sum of the bars of one frame.
    """
    interval = next((name for name in _VOLUME_FRAMES if name in view.bars and view.bars[name].rows), None)
    summed = np.full(view.size, np.nan) if interval is None else _last_day(view, interval)
    stated_24h = view.derivatives.turnover_24h
    usd = np.where(np.isnan(stated_24h), summed, stated_24h) * usd_now(view)
    return np.array(usd)


def _last_day(view: View, interval: Interval) -> Floats:
    """Quote units traded in the last 24 hours, float64 (S,), from the bars of one frame."""
    bars = view.bars[interval]
    rows = max(1, DAY_NS // INTERVAL_NS[interval])
    if bars.rows < rows:
        return np.full(view.size, np.nan)
    tail = slice(bars.rows - rows, None)
    typical = (bars.high[tail] + bars.low[tail] + bars.close[tail]) / 3.0
    stated = bars.quote_volume[tail]
    turnover = np.where(np.isnan(stated), bars.volume[tail] * typical, stated)
    return np.array(rolling.sum_n(turnover, rows)[-1])


def _known(values: Floats) -> list[float | None]:
    """The values as plain numbers, None where they cannot be read."""
    plain: list[float | None] = values.tolist()
    for column in np.flatnonzero(~np.isfinite(values)).tolist():
        plain[column] = None
    return plain
