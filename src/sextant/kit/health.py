"""Health: what each part says of itself, since when, and whether the process should be asked at all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import Clock

State = Literal["healthy", "degraded", "unhealthy"]
Stage = Literal["booting", "serving", "draining"]

FRESH_S: Final = 1.0  # a second question within this time is told what the first one was
PROBE_S: Final = 1.0  # the wait for a pooled connection, api.md 4
LAG_EVERY_S: Final = 0.5
LAG_SHOWN_S: Final = 10.0  # so that whoever asks every ten seconds is told
LAG_LIMIT_S: Final = 0.25  # a loop this late misses heartbeats of venues
DISK_LOW_FRAC: Final = 0.10
DISK_FULL_FRAC: Final = 0.02


class Reading(msgspec.Struct, frozen=True):
    """What a part says of itself; ``detail`` names value and limit where it is not healthy."""

    state: State
    detail: str | None = None


class Check(msgspec.Struct, frozen=True):
    """A reading with the time since when the state is what it is, and the time it was read."""

    state: State
    detail: str | None
    since_ns: int
    read_ns: int


Probe = Callable[[], Awaitable[Reading]]


class Health:
    """Asks the parts at most once a second and remembers when each changed.

    Parameters
    ----------
    clock
        Gives times.
    probes
        By name of the part; a probe calls no venue.
    vital
        The part without which nothing can be answered.
    """

    def __init__(self, clock: Clock, probes: Mapping[str, Probe], vital: str = "database") -> None:
        self._clock = clock
        self._probes = dict(probes)
        self._vital = vital
        self._checks: dict[str, Check] = {}
        self._read_ns: int | None = None
        self._lock = asyncio.Lock()
        self.stage: Stage = "booting"

    def add(self, name: str, probe: Probe) -> None:
        """Ask one part more from now on."""
        self._probes[name] = probe
        self._read_ns = None

    async def checks(self) -> Mapping[str, Check]:
        """The parts by name."""
        async with self._lock:
            now_ns = self._clock.monotonic_ns()
            if self._read_ns is None or now_ns - self._read_ns >= FRESH_S * 1e9:
                readings = await asyncio.gather(*(_bounded(probe) for probe in self._probes.values()))
                for name, reading in zip(self._probes, readings, strict=True):
                    self._learn(name, reading)
                self._read_ns = now_ns
        return dict(self._checks)

    async def state(self) -> State:
        """Unhealthy without the vital part, degraded if any other is not healthy."""
        checks = await self.checks()
        if checks[self._vital].state == "unhealthy":
            return "unhealthy"
        return "healthy" if all(check.state == "healthy" for check in checks.values()) else "degraded"

    async def reasons_not_ready(self) -> list[str]:
        """Why the process should not be asked; empty when it can serve."""
        reasons: list[str] = [] if self.stage == "serving" else [self.stage]
        if (await self.checks())[self._vital].state == "unhealthy":
            reasons.append(self._vital)
        return reasons

    def _learn(self, name: str, reading: Reading) -> None:
        now_ns = self._clock.now_ns()
        before = self._checks.get(name)
        since_ns = now_ns if before is None or before.state != reading.state else before.since_ns
        self._checks[name] = Check(reading.state, reading.detail, since_ns, now_ns)


class LoopLag:
    """How late the event loop wakes who sleeps; run ``watch`` as a task.

    Parameters
    ----------
    clock
        Measures.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lag_s = 0.0
        self._worst = (0.0, 0)

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            begun_ns = self._clock.monotonic_ns()
            await self._clock.sleep(LAG_EVERY_S)
            now_ns = self._clock.monotonic_ns()
            self.lag_s = max(0.0, (now_ns - begun_ns) / 1e9 - LAG_EVERY_S)
            worst_s, until_ns = self._worst
            if self.lag_s >= worst_s or now_ns >= until_ns:
                self._worst = self.lag_s, now_ns + round(LAG_SHOWN_S * 1e9)

    async def probe(self) -> Reading:
        """Degraded while the loop is late, and for a while after: who asks cannot ask while it is."""
        worst_s, until_ns = self._worst
        late_s = worst_s if self._clock.monotonic_ns() < until_ns else self.lag_s
        if late_s <= LAG_LIMIT_S:
            return Reading("healthy")
        return Reading("degraded", f"The loop was {late_s:.3f} s late; {LAG_LIMIT_S} s are allowed.")


def database_probe(db: AsyncEngine) -> Probe:
    """A probe that asks the database the smallest question."""

    async def probe() -> Reading:
        try:
            async with db.connect() as connection:
                await connection.execute(sa.select(1))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            return Reading("unhealthy", f"The database does not answer ({type(error).__name__}).")
        return Reading("healthy")

    return probe


def disk_probe(folder: Path) -> Probe:
    """A probe of the free share of the disk that holds a folder."""

    async def probe() -> Reading:
        usage = shutil.disk_usage(folder)
        free = usage.free / usage.total
        if free > DISK_LOW_FRAC:
            return Reading("healthy")
        state: State = "degraded" if free > DISK_FULL_FRAC else "unhealthy"
        return Reading(state, f"{free:.1%} of the disk is free; {DISK_LOW_FRAC:.0%} are wanted.")

    return probe


async def in_process() -> Reading:
    """A probe of a shared store that is this process itself."""
    return Reading("healthy")


async def _bounded(probe: Probe) -> Reading:
    try:
        return await asyncio.wait_for(probe(), PROBE_S)
    except TimeoutError:
        return Reading("unhealthy", f"No answer within {PROBE_S} s.")
