"""Gates: conditions as data, the ones all strategies share, and what they make of the last row.

A gate passes where ``sense * (value - threshold) >= 0``. Its distance is
``max(0, -sense * (value - threshold) / scale)``: 0.25 means a quarter of the threshold is missing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import STABLE_ASSETS, Kind
from sextant.model.opportunity import GateReading
from sextant.model.times import DAY_NS, INTERVAL_NS, MINUTE_NS, Interval
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Gate, Verdict
from sextant.strategies.prices import usd_now

NEAR: Final = 0.25
"""Greatest distance of every failed gate at which a candidate is a near miss."""

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
        """Instruments of a kind that is traded, bool (S,)."""
        return np.array([spec.instrument.kind in self.kinds for spec in view.instruments], dtype=np.bool_)


ANYTHING: Final = Admission()


def first_gates(columns: Columns, interval: Interval, admission: Admission = ANYTHING) -> tuple[Gate, ...]:
    """The common gates that stand before a strategy's own: kind, status, volume, spread, not stable against stable.

    Notes
    -----
    On frames under half an hour the turnover of less than a day counts where it reaches the floor already.
    """
    view = columns.view
    rows = columns.frame(interval).rows
    specs = view.instruments
    kinds = [spec.instrument.kind for spec in specs]
    tradable = admission.admits(view).astype(np.float64)
    trading = np.array([float(spec.status == "trading") for spec in specs])
    stable = [
        spec.instrument.base in STABLE_ASSETS
        and (spec.instrument.quote in STABLE_ASSETS or spec.instrument.quote == "USD")
        for spec in specs
    ]
    floors = np.array([VOLUME_FLOORS_USD.get(kind, VOLUME_FLOORS_USD["perpetual"]) for kind in kinds])
    caps = np.array([SPREAD_CAPS_BPS.get(kind, SPREAD_CAPS_BPS["perpetual"]) for kind in kinds])
    if admission.floor_usd is not None:
        floors[:] = admission.floor_usd
    if admission.spread_cap_bps is not None:
        caps[:] = admission.spread_cap_bps
    shape = (rows, view.size)
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
        Gate(
            "spread_bps",
            columns.touch.spread_bps[None, :],
            SPREAD_CAPS_BPS["spot"],
            -1,
            "bps",
            live_only=True,
            thresholds=caps,
        ),
        Gate("stable_quote", np.broadcast_to(np.array(stable, dtype=np.float64), shape), 0.0, -1),
    )


def _turnover_of_a_day(columns: Columns, interval: Interval, floors: Floats) -> Floats:
    """Turnover of 24 hours, USD; of fewer where a short frame is shorter and they reach the floors (S,) already."""
    day = columns.volume_24h_usd(interval)
    if INTERVAL_NS[interval] >= _WHOLE_DAYS_FROM_NS:
        return day
    so_far = turnover_so_far(columns, interval)
    return np.where(np.isnan(day) & (so_far >= floors), so_far, day)


def turnover_so_far(columns: Columns, interval: Interval) -> Floats:
    """Turnover of the last 24 hours, or of as many of them as there are without a gap, USD."""
    rows = max(1, DAY_NS // INTERVAL_NS[interval])
    return columns.once(
        ("turnover_so_far", interval), lambda: rolling.sum_so_far(columns.turnover_usd(interval), rows)
    )


def trigger_age(gates: tuple[Gate, ...], direction: Floats, horizon_rows: int) -> Gate:
    """The common gate that stands last: rows since all other historic gates first passed together.

    Parameters
    ----------
    gates
        All other gates of the strategy.
    direction
        float64 (T, S): +1, -1, 0.
    horizon_rows
        Its sixth, but at least 2 rows, is the greatest age.

    Notes
    -----
    Counted from the first row of the present run in one direction; 0 where the other gates do not pass.
    """
    age = rolling.signal_age(_historic(gates, direction.shape), direction)
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
    return _historic(verdict.gates, verdict.signals.direction.shape)


def without(verdict: Verdict) -> tuple[str, ...]:
    """Names of the live gates that evidence could not apply."""
    return tuple(gate.name for gate in verdict.gates if gate.live_only)


def _historic(gates: tuple[Gate, ...], shape: tuple[int, ...]) -> Flags:
    together = np.ones(shape, dtype=np.bool_)
    for gate in gates:
        if not gate.live_only:
            rolling.fold_gate(gate.values, limits_of(gate), gate.sense, optional=gate.optional, into=together)
    return together


Row = tuple[float | None, float, bool, float | None]
"""Value, threshold, passed and distance of one gate for one instrument; None where it cannot be read."""


@dataclass(frozen=True, eq=False)
class Assessment:
    """What the gates of a verdict say about its last row.

    Parameters
    ----------
    gates
        G gates in declared order.
    values, limits, distances
        float64 (G, S); NaN where a gate cannot be read.
    passed
        bool (G, S).
    unreadable
        bool (G, S): a required gate met NaN.
    """

    gates: tuple[Gate, ...]
    values: Floats
    limits: Floats
    distances: Floats
    passed: Flags
    unreadable: Flags

    def readings(self, column: int) -> tuple[GateReading, ...]:
        """All gates of one instrument, in declared order."""
        return tuple(
            GateReading(gate.name, value, limit, good, distance)
            for gate, (value, limit, good, distance) in zip(self.gates, self._rows[column], strict=True)
        )

    @cached_property
    def _rows(self) -> list[list[Row]]:
        """By instrument, what each gate read, as plain numbers."""
        parts = (_known(self.values), self.limits.T, self.passed.T, _known(self.distances))
        by_instrument = zip(*(part.tolist() for part in parts), strict=True)
        return [list(zip(*row, strict=True)) for row in by_instrument]

    def failing_from(self, index: int) -> Integers:
        """Int64 (S,): the first row of the present failing run of a gate; its row count where it passes."""
        if index not in self._failing:
            gate = self.gates[index]
            self._failing[index] = rolling.failing_from(gate.values, limits_of(gate), gate.sense)
        return self._failing[index]

    @cached_property
    def _failing(self) -> dict[int, Integers]:
        return {}

    def first(self, flags: Flags, column: int) -> int | None:
        """The first gate whose flag is set for an instrument."""
        hits = np.flatnonzero(flags[:, column])
        return int(hits[0]) if len(hits) else None


def assess(verdict: Verdict) -> Assessment:
    """The readings of all gates on the last row."""
    gates = verdict.gates
    size = verdict.signals.direction.shape[1]
    empty = np.empty((0, size))
    values = np.array([gate.values[-1] for gate in gates]) if gates else empty
    good = np.array([passed(last)[-1] for last in _last_rows(gates)]) if gates else empty > 0
    unknown = np.isnan(values)
    required = np.array([not gate.optional for gate in gates], dtype=np.bool_)[:, None]
    return Assessment(
        gates=gates,
        values=values,
        limits=np.array([limits_of(gate) for gate in gates]) if gates else empty,
        distances=np.array([distances(gate) for gate in gates]) if gates else empty,
        passed=good,
        unreadable=unknown & required,
    )


def _last_rows(gates: tuple[Gate, ...]) -> list[Gate]:
    return [dataclasses.replace(gate, values=gate.values[-1:]) for gate in gates]


def failing_since_ns(read: Assessment, index: int, view: View, interval: Interval, column: int) -> int | None:
    """When the first row of the present failing run of a gate closed; None where that is before what is known of it."""
    gate = read.gates[index]
    if gate.live_only:
        return None
    frame, rows = view.bars[interval], gate.values.shape[0]
    first = int(read.failing_from(index)[column])
    skipped = frame.rows - rows
    if first >= rows or (skipped and not first):
        return None
    return int(frame.open_ns[skipped + first]) + INTERVAL_NS[interval]


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


def _known(values: Floats) -> NDArray[np.object_]:
    """The values of each instrument, (S, G), None where they cannot be read; one pass instead of a call for each."""
    plain = values.T.astype(np.object_)
    plain[~np.isfinite(values.T)] = None
    return plain
