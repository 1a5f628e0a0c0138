"""faults.md status-truth: whoever holds an id is told its state, by every process, whichever of them dies."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from support.cluster import Cluster, Gone, Line, Member, cluster
from support.valkey import Valkey

POLLS = int(os.environ.get("POLLS", "800"))  # `make status-truth` asks for a million
APIS = int(os.environ.get("APIS", "2"))
WORKERS = int(os.environ.get("WORKERS", "1"))
PEOPLE = int(os.environ.get("PEOPLE", "8"))
KILL_EVERY_S = float(os.environ.get("KILL_EVERY_S", "2"))
KILLED = int(os.environ.get("KILLED", "3"))  # at least so many processes die during the polls

DISCOVER: Final = "/api/v1/opportunities/discover"
BODY: Final = b'{"force_refresh": true, "strategy_ids": ["ai_spot_momentum_strategy"]}'
FAILED_REASONS: Final = {"worker_lost", "superseded", "budget_exceeded", "view_unavailable"}
PAUSE_S: Final = 0.1  # between polls of one person at one process: api.md 1.7 allows 600 a minute there
ROUNDS: Final = 60  # of polls at every process before a scan that still runs is given up for the next
AWAY_S: Final = 6.0  # the store is away for at most so long
SETTLE_S: Final = 70.0  # api.md 2.3 rule 4: the hard stop of a scan, and 10 s for whoever takes it over


@dataclass
class Tally:
    """What was asked and what was told."""

    polls: int = 0
    first_polls: int = 0
    gone: int = 0
    busy: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)

    def told(self) -> str:
        return (
            f"{self.polls} polls ({self.first_polls} right after the answer), kills {dict(self.kills)}, "
            f"{self.gone} calls to dead processes, busy {dict(self.busy)}, states {dict(self.states)}, "
            f"failures {dict(self.reasons)}, {len(self.lies)} lies"
        )


@dataclass(frozen=True)
class Seen:
    """The newest state of a scan as a person was told it."""

    version: int = 0
    percentage: int = 0
    found: int = 0
    status: str = "scanning"

    def lies_in(self, body: Any) -> list[str]:
        """What in an answer contradicts what was known when it was asked for."""
        after = told_in(body)
        pairs = (
            (after.version, self.version),
            (after.percentage, self.percentage),
            (after.found, self.found),
        )
        lies = [f"{a} after {b}" for a, b in pairs if a < b]
        if self.status not in ("scanning", after.status):
            lies.append(f"{after.status} after {self.status}")
        return lies


def told_in(body: Any) -> Seen:
    """The state that an answer tells."""
    progress = body["progress"]
    return Seen(
        body["version"], progress["percentage"], progress["opportunities_found_so_far"], body["status"]
    )


@dataclass
class Person:
    """Starts scans and polls them at every process in turn."""

    number: int
    lines: list[Line]
    tally: Tally
    dice: random.Random
    seen: dict[str, Seen] = field(default_factory=dict)

    async def live(self) -> None:
        """Scan and poll until enough was polled."""
        while self.tally.polls < POLLS:
            scan_id = await self.start()
            await self.poll_everywhere(scan_id, first=True)
            for _ in range(ROUNDS):
                await asyncio.sleep(PAUSE_S)
                if self.seen[scan_id].status != "scanning":
                    break
                await self.poll_everywhere(scan_id)
            await self.poll_everywhere(self.dice.choice(list(self.seen)[-200:]))

    async def poll_everywhere(self, scan_id: str, *, first: bool = False) -> None:
        """Ask every process in the same moment."""
        await asyncio.gather(*(self.poll(scan_id, line, first=first) for line in self.lines))

    async def start(self) -> str:
        """The id of a new scan; the same key is sent again until some process has answered."""
        name = f"Idempotency-Key: key-{self.number}-{len(self.seen)}-{self.dice.randrange(10**9)}"
        while True:
            try:
                line = self.dice.choice(self.lines)
                status, body = await line.ask("POST", DISCOVER, BODY, name)
            except Gone:
                self.tally.gone += 1
                await asyncio.sleep(PAUSE_S)
                continue
            if status == 200:
                self.seen.setdefault(body["scan_id"], Seen())
                return str(body["scan_id"])
            self._busy(status, body)
            await asyncio.sleep(0.5)

    async def poll(self, scan_id: str, line: Line | None = None, *, first: bool = False) -> None:
        """Ask for the state until a process answers; every answer must fit what was known when it was asked for.

        While the process of the line is away, another is asked.
        """
        while True:
            line = line or self.dice.choice(self.lines)
            known = self.seen[scan_id]
            try:
                status, body = await line.ask("GET", f"/api/v1/opportunities/status/{scan_id}")
            except Gone:
                self.tally.gone += 1
                line = None
                await asyncio.sleep(PAUSE_S)
                continue
            if status in (429, 503):
                self._busy(status, body)
                await asyncio.sleep(0.5)
                continue
            break
        self.tally.polls += 1
        self.tally.first_polls += first
        if status != 200:
            self.tally.lies.append(f"{scan_id}: {status} {body}")
            return
        self.tally.lies += [f"{scan_id}: {lie}" for lie in known.lies_in(body)]
        if body["version"] >= self.seen[scan_id].version:
            self.seen[scan_id] = told_in(body)
        self.tally.states[body["status"]] += 1
        if body["status"] == "failed":
            self.tally.reasons[body["error"]["reason"]] += 1

    def _busy(self, status: int, body: Any) -> None:
        if status not in (429, 503):
            self.tally.lies.append(f"start: {status} {body}")
        self.tally.busy[f"{status} {body.get('reason')}"] += 1


async def killing(made: Cluster, tally: Tally, dice: random.Random) -> None:
    """Kill a random process, workers, APIs and the store in turn, and start it again; the others go on meanwhile."""
    kinds: list[Sequence[Member | Valkey]] = [
        made.workers,
        made.apis,
        *([] if made.store is None else [[made.store]]),
    ]
    while True:
        await asyncio.sleep(dice.uniform(0.2, 1.0) * KILL_EVERY_S)
        member = dice.choice(kinds[tally.kills.total() % len(kinds)])
        await asyncio.to_thread(member.kill)
        tally.kills["store" if isinstance(member, Valkey) else member.command[0]] += 1
        if isinstance(member, Valkey):
            await asyncio.sleep(dice.uniform(0.0, AWAY_S))
        await asyncio.to_thread(member.start)
        if isinstance(member, Member):
            await asyncio.to_thread(member.wait)


async def campaign(made: Cluster) -> tuple[Tally, list[Person]]:
    dice = random.Random(20_261_125)  # noqa: S311  # repeatable choices, no secret
    tally = Tally()
    people = [
        Person(number, [Line(api.port, key) for api in made.apis], tally, random.Random(number))  # noqa: S311
        for number, key in enumerate(made.keys)
    ]
    deaths = asyncio.create_task(killing(made, tally, dice))
    await asyncio.gather(*(person.live() for person in people))
    while tally.kills.total() < KILLED and not deaths.done():
        await asyncio.gather(*(person.poll(next(iter(person.seen))) for person in people))
        await asyncio.sleep(PAUSE_S)
    deaths.cancel()
    await asyncio.wait({deaths})
    if (failure := None if deaths.cancelled() else deaths.exception()) is not None:
        raise failure
    return tally, people


async def settled(people: list[Person]) -> float:
    """Seconds until every scan that was ever acknowledged has ended."""
    begun = time.monotonic()
    for person in people:
        for scan_id in person.seen:
            while person.seen[scan_id].status == "scanning" and time.monotonic() - begun < SETTLE_S:
                await person.poll(scan_id)
                await asyncio.sleep(PAUSE_S)
    for person in people:
        for line in person.lines:
            line.close()
    return time.monotonic() - begun


@pytest.mark.timeout(0 if POLLS > 10_000 else 240)
def test_every_acknowledged_scan_is_told_truly_whoever_dies(tmp_path: Path) -> None:
    async def run(made: Cluster) -> tuple[Tally, list[Person], float]:
        tally, people = await campaign(made)
        return tally, people, await settled(people)

    with cluster(tmp_path, APIS, WORKERS, PEOPLE, stored=True) as made:
        tally, people, spent_s = asyncio.run(run(made))
    sys.stdout.write(tally.told() + "\n")  # pytest shows it with -s, as `make status-truth` asks
    assert tally.lies == [], tally.told()
    assert tally.kills.total() >= KILLED
    assert tally.polls >= POLLS
    assert all(seen.status != "scanning" for person in people for seen in person.seen.values()), tally.told()
    assert set(tally.reasons) <= FAILED_REASONS, tally.told()
    assert spent_s < SETTLE_S, tally.told()
