"""A market of N instruments as a server holds it: filled history, a view, scores, one scan; memory and processor time.

Prints cost at 125, 250, 500 and 1,000 instruments and the exponent of growth of each figure. The scan is made at 1,000 only.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
import time
from decimal import Decimal
from math import log
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import numpy as np

from harness import tell
from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.account import Account
from sextant.model.events import BookDelta, BookSnapshot, DerivativesUpdate, Event, Listed, Trade
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.selection import Selection, border, select
from sextant.model.times import INTERVAL_NS
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, run_strategy
from sextant.scans.scoring import Scoring
from sextant.scans.source import KEEP_ROWS, MarketSource
from sextant.scans.stream_ages import StreamAges
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from walk import ROWS_OF_PAST, past

SIZES = (125, 250, 500, 1_000)
NOW_NS = 20_000 * INTERVAL_NS["1d"]
LEVELS = 50


def names(count: int) -> list[Instrument]:
    return [Instrument("bybit", f"A{number:04d}", "USDT", "perpetual") for number in range(count)]


def listed(instrument: Instrument) -> Listed:
    spec = InstrumentSpec(
        instrument, Decimal("0.01"), Decimal("0.001"), Decimal(5), Decimal(1), "trading", 28_800, None, 1
    )
    return Listed(spec, 1, 1)


def live(instrument: Instrument, turn: int) -> list[Event]:
    """A second of one instrument: ten changes of its book, two trades, one of its facts."""
    at = NOW_NS + turn * 1_000_000_000
    level = [(99.0, 1.0 + turn)]
    changes = [
        BookDelta(instrument, at, at, 2 + 10 * turn + step, 2 + 10 * turn + step, None, level, [])
        for step in range(10)
    ]
    trades = [Trade(instrument, at, at, f"{turn}.{step}", 100.0, 1.0, 1) for step in range(2)]
    return [*changes, *trades, DerivativesUpdate(instrument, at, at, mark=100.0, turnover_24h=1e8)]


def megabytes() -> float:
    gc.collect()
    with Path("/proc/self/status").open() as lines:
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return kilobytes / 1024


def timed(work: object) -> float:
    """Milliseconds of processor time of this process."""
    began = time.process_time()
    work()  # type: ignore[operator]  # a function
    return 1e3 * (time.process_time() - began)


def measured(count: int) -> dict[str, float]:
    clock, rng, instruments = ManualClock(NOW_NS + 10**9), np.random.default_rng(3), names(count)
    state = MarketState("demo", simulated=True, keep_rows=KEEP_ROWS)
    source = MarketSource(state, clock, CostAssumptions())
    out: dict[str, float] = {"rss_before_mb": megabytes()}
    ladder = [(99.9 - 0.01 * step, 5.0) for step in range(LEVELS)]
    asks = [(100.1 + 0.01 * step, 5.0) for step in range(LEVELS)]

    def fill() -> None:
        source.learn([listed(instrument) for instrument in instruments])
        for interval, rows in ROWS_OF_PAST.items():
            for instrument in instruments:
                source.learn([past(instrument, interval, rows, NOW_NS, rng)])
        source.learn(
            [BookSnapshot(instrument, NOW_NS, NOW_NS, 1, LEVELS, ladder, asks) for instrument in instruments]
        )

    out["fill_ms"] = timed(fill)
    out["rss_filled_mb"] = megabytes()
    events = [[event for name in instruments for event in live(name, turn)] for turn in range(5)]
    out["feed_ms_a_second"] = timed(lambda: [source.learn(second) for second in events]) / 5
    out["view_ms"] = timed(source.read)
    out["rss_view_mb"] = megabytes()
    source.learn(events[-1])
    clock.advance(2.0)
    out["view_again_ms"] = timed(source.read)
    scoring = Scoring(source.sight, clock)
    out["score_ms"] = timed(lambda: asyncio.run(scoring.look()))
    out["rss_scored_mb"] = megabytes()
    part, request, account = source.read(), ScanRequest(), Account(equity_usd=100_000.0)
    asked = Asked(part, choose(part.view, request, part.turnover_usd), account, request)

    def scan() -> None:
        for strategy in strategies().values():
            run_strategy(strategy, asked)

    if count == SIZES[-1]:
        out["scan_cold_ms"] = timed(scan)
        out["scan_again_ms"] = timed(scan)
        out["rss_scanned_mb"] = megabytes()
    ages = StreamAges(source, clock)
    out["streams_ms"] = timed(ages.sums)
    ranked, held, around = instruments, Selection(), border(count // 2)
    out["select_ms"] = timed(lambda: select(select(held, ranked, around), ranked, around))
    out["rss_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: round(value, 1) for name, value in out.items()}


def main() -> None:
    if len(sys.argv) > 1:
        sys.stdout.write(msgspec.json.encode(measured(int(sys.argv[1]))).decode() + "\n")
        return
    found: dict[int, dict[str, float]] = {}
    for count in SIZES:  # each in a process of its own: memory once taken is not given back
        done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, check=True)  # noqa: S603  # ourselves
        found[count] = msgspec.json.decode(done.stdout.splitlines()[-1])
    small, large = found[SIZES[0]], found[SIZES[-1]]
    span = log(SIZES[-1] / SIZES[0])
    tell(
        "market.universe",
        {
            **{f"n{count}.{name}": value for count, row in found.items() for name, value in row.items()},
            **{
                f"growth.{name}": round(log(large[name] / small[name]) / span, 2)
                for name in (
                    "fill_ms",
                    "feed_ms_a_second",
                    "view_again_ms",
                    "score_ms",
                    "rss_filled_mb",
                    "streams_ms",
                )
                if small[name] > 0 and large[name] > 0
            },
        },
    )


if __name__ == "__main__":
    main()
