"""An hour of the market at 5,000 messages a second, as fast as it can be read: memory must stay flat.

The frames of 200 instruments are made, read, applied and forgotten beside as much past as a server holds; every minute of
the market a view is taken, as scans do. The resident memory after a fifth of the frames, when every cache has filled as far
as it will, is compared with that at the end. The first argument is the number of frames; the exit status is 1 where memory grew by more.
"""

from __future__ import annotations

import gc
import math
import random
import sys
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from market.bench_w1 import INSTRUMENTS, START_MS, Truth
from sextant.kit.memory import resident_mb
from sextant.market.state import MarketState
from sextant.model.times import MILLISECOND_NS
from sextant.scans.source import KEEP_ROWS
from sextant.venues.library.bybit.frames import parse_frame
from sextant.venues.port import Listing, SymbolTable
from walk import ROWS_OF_PAST, START_NS, past

FRAMES: Final = 5_000 * 3_600
PER_MS: Final = 5  # frames a millisecond of the market
LOOKS: Final = 20  # at memory, evenly spread
MOST_DRIFT: Final = 0.05


def frame_of(truth: Truth, now_ms: int, share: float) -> bytes:
    """One frame, in the shares of W1."""
    for most, make in (
        (0.6, truth.delta),
        (0.8, truth.trade),
        (0.95, truth.facts),
        (0.98, truth.bar),
    ):
        if share < most:
            return make(now_ms)
    return truth.liquidation(now_ms)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    chance = random.Random(11)  # noqa: S311  # a fixed seed, nothing secret
    truths = [Truth(number, chance) for number in range(INSTRUMENTS)]
    table = SymbolTable(Listing("linear", truth.symbol, truth.market.listed().spec) for truth in truths)
    state = MarketState("live", simulated=True, keep_rows=KEEP_ROWS)
    rng = np.random.default_rng(11)
    for truth in truths:
        state.apply(truth.market.listed())
        for data in truth.snapshots():
            for event in parse_frame("linear", data, START_NS, table):
                state.apply(event)
    for interval, rows in ROWS_OF_PAST.items():
        for truth in truths:
            state.apply(past(truth.market.instrument, interval, rows, START_NS, rng))
    looks: list[float] = []
    begun, minute = time.process_time(), 0
    for number in range(count):
        now_ms = START_MS + 1 + number // PER_MS
        data = frame_of(chance.choice(truths), now_ms, chance.random())
        for event in parse_frame("linear", data, now_ms * MILLISECOND_NS, table):
            state.apply(event)
        if now_ms // 60_000 != minute:
            minute = now_ms // 60_000
            state.view(now_ms * MILLISECOND_NS)
        if (number + 1) % max(1, count // LOOKS) == 0:
            gc.collect()
            looks.append(resident_mb() or math.nan)
            print(f"{number + 1:>12,} frames  {looks[-1]:8.1f} MB", flush=True)
    assert state.counters["book_gaps"] == 0
    early = looks[LOOKS // 5 - 1]
    drift = looks[-1] / early - 1.0
    print(
        f"{count:,} frames, {time.process_time() - begun:,.0f} s of the processor; memory {drift:+.2%} since a fifth"
    )
    return 1 if drift > MOST_DRIFT else 0


if __name__ == "__main__":
    sys.exit(main())
