"""Half an hour of random faults in virtual time: books stay true, bans are kept, and what breaks heals within seconds.

`make faults` runs whole half hours of many seeds; by default one seed has two minutes.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from sextant.model.times import SECOND_NS
from support.listening import STEP_S
from support.plane import BOOK, BTC, ETH, TRADES, plane

SEEDS: Final = int(os.environ.get("FAULT_SEEDS", "1"))
MINUTES: Final = float(os.environ.get("FAULT_MINUTES", "2"))
EVERY_S: Final = 6.0  # on average between two faults
HEALED_S: Final = 3.0  # reconnect to valid book, 95 of 100

PUSHED: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("gap", {}),
    ("duplicate", {}),
    ("swap", {"messages": 2}),
    ("snapshot", {}),
    ("restart", {}),
    ("crossed", {}),
    ("crossed", {"times": 2}),
    ("raw", {"text": "[", "repeat": 5_000}),
    ("broken_text", {}),
    ("binary", {"hex": "ff00"}),
    ("fragments", {}),
    ("drift", {"field": "data.u"}),
    ("reset", {}),
    ("close", {"code": 1012}),
)
MOMENTS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("reset", {}),
    ("close", {"code": 1001}),
    ("close", {"code": 1006}),
    ("raw", {"text": '{"topic":"news"}'}),
    ("silence", {"seconds": 3_600}),
)
CALLED: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("reset", {}),
    ("truncated", {}),
    ("status", {"status": 502}),
    ("html", {"status": 200}),
)
SILENCING: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("limited", {"retry_after": 20}),
    ("banned", {}),
)
"""In scripts of odd seeds only: while a venue wants silence nothing can heal."""


def script(seed: int, minutes: float) -> list[Mapping[str, Any]]:
    """Faults at random places and moments, one in :data:`EVERY_S` on average."""
    dice = random.Random(seed)  # noqa: S311  # a repeatable script, no secret
    called = CALLED + SILENCING * (seed % 2)
    lines: list[Mapping[str, Any]] = []
    for number in range(int(minutes * 60 / EVERY_S)):
        after_s = 15 + dice.uniform(0, minutes * 60 - 15)
        share = dice.random()
        if share < 0.75:
            kind, details = dice.choice(PUSHED)
            topic = dice.choice((BOOK, BOOK, "orderbook.50.ETHUSDT", TRADES))
            if kind in ("snapshot", "restart", "crossed", "drift") and topic == TRADES:
                topic = BOOK
            # A book moves about twice a second here, so this is the message of about that moment.
            place: Mapping[str, Any] = {"topic": topic, "message": int(after_s * 2)}
        elif share < 0.9:
            kind, details = dice.choice(MOMENTS)
            place = {"after_s": after_s}
        else:
            kind, details = dice.choice(called)
            place = {"call": dice.randrange(5, 5 + int(minutes * 3))}
        if any(line["at"] == place for line in lines):
            continue  # two faults of one message are a third kind, which no script names
        lines.append({"seed": number, "at": place, "fault": kind, **details})
    return lines


@pytest.mark.timeout(0 if MINUTES > 5 else 120)
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_no_fault_leaves_a_false_book_or_breaks_a_ban(seed: int, tmp_path: Path) -> None:
    lines = script(seed, MINUTES)
    compared, silent_s = 0, 0.0
    async with plane(lines, tmp_path, seed=seed) as p:
        await p.until(lambda: p.valid(BTC) and p.valid(ETH), 60)
        for _ in range(int(MINUTES * 60 / STEP_S)):
            await p.step()
            for instrument in (BTC, ETH):
                if p.comparable(instrument):
                    assert p.true(instrument), p.venue.plan.history
                    compared += 1
                elif p.valid(instrument):
                    # Nothing came for eight pushes: the peer fell silent, and the age of the book says so.
                    age_ns = p.state.freshness(p.clock.now_ns())[instrument]["book"].age_ns
                    assert age_ns is not None
                    assert age_ns > SECOND_NS
                    silent_s += STEP_S
        await p.until(lambda: p.valid(BTC) and p.valid(ETH), 700)
        struck = len(p.venue.plan.history)
        counters = p.venue.counters
        assert struck >= len(lines) / 4
        # Two reads may be under way when a ban or a wait is told; nobody calls after he was told.
        assert counters.after_ban <= 2 * counters.bans
        assert counters.forbidden == 0
        assert counters.slow_clients == 0
        waits = sorted(wait for _, _, wait in p.breaks)
        assert waits
        p95 = waits[int(0.95 * (len(waits) - 1))]
        told = (
            f"seed {seed}: {struck} faults in {MINUTES:g} min, {compared} books compared, {silent_s:g} s silent, {len(waits)} breaks, "
            f"healed in {waits[len(waits) // 2]:.2f} s (median), {p95:.2f} s (95 of 100), {waits[-1]:.2f} s (worst), "
            f"{counters.bans} bans, {counters.after_ban} calls under way with them"
        )
        sys.stderr.write(told + "\n")
        assert seed % 2 or p95 <= HEALED_S, told
