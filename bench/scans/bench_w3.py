"""W3: the whole catalogue over 1,000 instruments x 1,440 bars a frame: view to ranked result.

A made market: one common and one own random walk per instrument, 500 spot and 500 perpetuals of the same 500 bases,
quotes, ten-level books, funding and open interest. ``cold``: everything from raw bars, evidence included;
``cold_crew``: the same on the clock of the wall, in the threads that a server gives to strategies; ``cold_fourteen`` and
``cold_crew_fourteen``: both for the fourteen strategies that the promise speaks of, without the six more.
``quotes``: a view a second younger with the same closed bars and quotes that have moved, as most scans find it.
``new_bar``: the first view after one more minute has closed; ``new_bar_crew``: the same as ``cold_crew``.
``further_user``: the same view for another account of the same fees; ``other_fees``: for one of fees of its own.
``stored``: what the first scan of a view said of all candidates, packed for its rows. All other milliseconds are those of the processor. No peer runs the same work; a loop in the manner of
freqtrade takes 62,000 ms for fourteen simple rules (published figure, not run here).
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does

import msgspec
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import summary, tell
from sextant.cli.looping import serving
from sextant.kit.clock import Deadline, SystemClock
from sextant.kit.memory import give_back, resident_mb
from sextant.model.account import Account, FeeTier
from sextant.model.bar import BAR_FIELDS
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.times import INTERVAL_NS, INTERVALS, Interval
from sextant.model.view import (
    BarFrame,
    Books,
    Derivatives,
    Quotes,
    Series,
    TradeTape,
    View,
    bar_frame,
    no_derivatives,
)
from sextant.scans.blobs import pack_answers
from sextant.scans.budget import in_turn, plan
from sextant.scans.crew import Crew
from sextant.scans.offline import Question, scan
from sextant.scans.records import SCAN_HARD_STOP_S, ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart
from sextant.scans.universe import choose
from sextant.strategies.catalog import CATALOGUE_ORDER, strategies
from sextant.strategies.prices import CostAssumptions
from sextant.strategies.ranking import ranked

BASES = 500
ROWS = 1_440
END_NS = 1_790_000_000 // 86_400 * 86_400 * 10**9
LEVELS = 10
DEAR_EVERY, DEAR_FUNDING = 25, 1e-3
WARM = 5
FURTHER = 2 * WARM + 1  # minutes after the first view
FOURTEEN = CATALOGUE_ORDER[:14]
Made = TypeVar("Made")


def specs(kind: Kind, bases: int) -> list[InstrumentSpec]:
    return [
        InstrumentSpec(
            Instrument("bybit", f"C{number:03d}", "USDT", kind),
            tick=Decimal("0.0001"),
            lot=Decimal("0.01"),
            min_notional=Decimal(5),
            contract_size=Decimal(1),
            status="trading",
            as_of_ns=END_NS,
            funding_interval_s=28_800 if kind == "perpetual" else None,
            max_leverage=Decimal(25) if kind == "perpetual" else None,
        )
        for number in range(bases)
    ]


def frame(interval: Interval, dice: np.random.Generator, rows: int = ROWS, bases: int = BASES) -> BarFrame:
    """Bars of both kinds; a perpetual follows its spot with noise of its own."""
    scale = 0.004 * (INTERVAL_NS[interval] / INTERVAL_NS["1h"]) ** 0.5
    shape = (rows, bases)
    steps = scale * (0.7 * dice.standard_normal((rows, 1)) + 0.7 * dice.standard_normal(shape))
    paths = steps.cumsum(axis=0)
    close = 50.0 * np.exp(
        np.hstack((paths - paths[-1], paths - paths[-1] + 0.0003 * dice.standard_normal(shape)))
    )
    opened = np.vstack((close[:1], close[:-1]))
    wick = scale * np.abs(dice.standard_normal(close.shape))
    turnover = (
        2e5 * np.exp(0.5 * dice.standard_normal(close.shape)) * INTERVAL_NS[interval] / INTERVAL_NS["1m"]
    )
    volume = turnover / close
    open_ns = END_NS - INTERVAL_NS[interval] * np.arange(rows, 0, -1, dtype=np.int64)
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) * (1 + wick),
        "low": np.minimum(opened, close) / (1 + wick),
        "close": close,
        "volume": volume,
        "quote_volume": turnover,
        "taker_buy_volume": volume * (0.5 + 0.1 * dice.standard_normal(close.shape)).clip(0.05, 0.95),
    }
    return bar_frame(interval, open_ns, columns)


def made_view(bases: int = BASES) -> View:
    dice = np.random.default_rng(7)
    bars = {interval: frame(interval, dice, bases=bases) for interval in INTERVALS}
    last = bars["1m"].close[-1]
    size = len(last)
    instruments = tuple(specs("spot", bases) + specs("perpetual", bases))
    now = np.full(size, END_NS, dtype=np.int64)
    steps = 1e-4 * np.arange(LEVELS)
    amounts = 2_000.0 * np.exp(0.3 * dice.standard_normal((size, LEVELS))) / last[:, None]
    bids, asks = last[:, None] * (1 - 1e-4 - steps), last[:, None] * (1 + 1e-4 + steps)
    books = Books(bids, amounts, asks, amounts.copy(), np.ones(size, dtype=np.bool_), now)
    quotes = Quotes(bids[:, 0].copy(), asks[:, 0].copy(), amounts[:, 0].copy(), amounts[:, 0].copy(), now)
    perpetual = np.arange(size) >= bases
    # A market of random walks has nothing to find; some perpetuals pay for being short, and have paid all along.
    dear = np.where(np.arange(size) % DEAR_EVERY == 0, DEAR_FUNDING, 0.0)
    known: dict[str, NDArray[np.float64]] = {
        "last": last.copy(),
        "turnover_24h": bars["1m"].quote_volume.sum(axis=0),
        "mark": np.where(perpetual, last, np.nan),
        "index": np.where(perpetual, last, np.nan),
        "funding_rate": np.where(perpetual, dear + 1e-4 * dice.standard_normal(size), np.nan),
        "funding_interval_s": np.where(perpetual, 28_800.0, np.nan),
        "open_interest": np.where(perpetual, 2e7 / last, np.nan),
        "long_share": np.where(perpetual, 0.5, np.nan),
    }
    nothing = no_derivatives(size)
    derivatives = Derivatives(
        **{
            name: known[name] if name in known else getattr(nothing, name)
            for name in Derivatives.__dataclass_fields__
            if name not in ("event_ns", "next_funding_ns")
        },
        event_ns=now,
        next_funding_ns=np.where(perpetual, END_NS + 4 * INTERVAL_NS["1h"], 0).astype(np.int64),
    )
    settled = END_NS - 8 * INTERVAL_NS["1h"] * np.arange(300, 0, -1, dtype=np.int64)
    grid = END_NS - INTERVAL_NS["5m"] * np.arange(288, 0, -1, dtype=np.int64)
    perpetuals = [spec.instrument for spec in instruments if spec.instrument.kind == "perpetual"]
    tape_ns = END_NS - 10**9 * np.arange(600, 0, -1, dtype=np.int64)
    return View(
        as_of_ns=END_NS,
        feed="demo",
        simulated=True,
        instruments=instruments,
        bars=bars,
        quotes=quotes,
        books=books,
        derivatives=derivatives,
        funding_history={
            one: Series(settled, paid + 1e-4 * dice.standard_normal(300))
            for one, paid in zip(perpetuals, dear[perpetual].tolist(), strict=True)
        },
        open_interest_history={
            one: Series(grid, 2e7 * np.exp(0.01 * dice.standard_normal(288).cumsum())) for one in perpetuals
        },
        trades={
            spec.instrument: TradeTape(
                tape_ns,
                last[column] * (1 + 1e-4 * dice.standard_normal(600)),
                np.full(600, 3.0),
                np.where(dice.random(600) < 0.5, 1.0, -1.0),
            )
            for column, spec in enumerate(instruments)
        },
    )


def younger(view: View, seconds: int) -> View:
    """The same closed bars, books and facts told anew, quotes that have moved, and a new trade of every instrument."""
    late, quotes = seconds * 10**9, view.quotes
    moved = 1.0 + 1e-5 * np.random.default_rng(seconds).standard_normal(view.size)
    moved_quotes = dataclasses.replace(
        quotes, bid=quotes.bid * moved, ask=quotes.ask * moved * (1.0 + 1e-6), event_ns=quotes.event_ns + late
    )
    tapes = {
        instrument: TradeTape(
            tape.event_ns + late, np.roll(tape.price, -1), tape.size.copy(), np.roll(tape.aggressor, -1)
        )
        for instrument, tape in view.trades.items()
    }
    return dataclasses.replace(
        view,
        as_of_ns=view.as_of_ns + late,
        quotes=moved_quotes,
        books=dataclasses.replace(view.books, event_ns=view.books.event_ns + late),
        derivatives=dataclasses.replace(view.derivatives, event_ns=view.derivatives.event_ns + late),
        trades=tapes,
    )


def with_minute(view: View, minute: BarFrame, number: int) -> View:
    """The view some minutes later, when no other bar has closed yet: the minutes of a longer frame that are known then."""
    columns = {name: getattr(minute, name)[number : number + ROWS] for name in BAR_FIELDS}
    open_ns = minute.open_ns[number : number + ROWS] + FURTHER * INTERVAL_NS["1m"]
    later = younger(view, 60 * number)
    return dataclasses.replace(later, bars={**view.bars, "1m": bar_frame("1m", open_ns, columns)})


def fee(kind: Kind) -> FeeTier:
    return FeeTier(
        "bybit", kind, "vip", maker_bps=1.0, taker_bps=3.0, assumed=False, source="bench", read_on="never"
    )


def account(equity_usd: float) -> Account:
    """Somebody whose money is all free at the one venue."""
    return Account(equity_usd=equity_usd, coverage_frac=1.0, free_usd={"bybit": equity_usd})


OTHER_FEES = msgspec.structs.replace(
    account(9_000.0), fees={f"bybit:{kind}": fee(kind) for kind in ("spot", "perpetual")}
)


def cpu_ms(work: Callable[[], Made]) -> tuple[float, Made]:
    begun = time.process_time_ns()
    done = work()
    return (time.process_time_ns() - begun) / 1e6, done


async def crew_ms(part: MarketPart, question: Question) -> float:
    """From a view to the ranked list by the clock of the wall, each strategy in a thread as a server runs it."""
    clock, crew = SystemClock(), Crew()
    deadline = Deadline(clock, SCAN_HARD_STOP_S)
    begun = time.perf_counter_ns()
    await crew.run(lambda view: view.content_hash, part.view, deadline, "view")
    asked = Asked(
        part, choose(part.view, question.request, part.turnover_usd), question.account, question.request
    )
    planned = plan(question.request, frozenset(question.catalogue), question.catalogue)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(crew.guarded(item.strategy, asked, deadline)) for _, item in in_turn(planned)
        ]
    runs = [task.result() for task in tasks]
    assert all(run.report.outcome not in ("late", "failed") for run in runs)
    ranked([row for run in runs for row in run.opportunities])
    spent = (time.perf_counter_ns() - begun) / 1e6
    crew.close()
    return spent


def stored_ms(part: MarketPart, question: Question) -> float:
    runs = scan(part, question).runs
    return cpu_ms(lambda: [pack_answers(run.dispositions) for run in runs])[0]


def kept(part: MarketPart) -> None:
    """What is done besides scans whenever a bar has closed: past events of all strategies; and what is let go then."""
    for strategy in strategies().values():
        verdict = part.verdict(strategy)
        if strategy.evidence_kind in ("bars", "couple", "funding") and verdict.skipped is None:
            part.events(strategy, verdict)
        part.settle(strategy)
    part.spend()


def main() -> None:
    view = made_view()
    minutes = frame("1m", np.random.default_rng(8), ROWS + FURTHER)
    question = Question(ScanRequest(), account(50_000.0), strategies(), "bench")
    assumptions = CostAssumptions()

    def run(part: MarketPart, asked: Question = question) -> float:
        return cpu_ms(lambda: scan(part, asked))[0]

    run(MarketPart(view, assumptions, EvidenceShelf()))  # compiles
    crews = [
        asyncio.run(crew_ms(MarketPart(view, assumptions, EvidenceShelf()), question)) for _ in range(WARM)
    ]
    fewer = dataclasses.replace(question, request=ScanRequest(strategy_ids=FOURTEEN))
    fewer_crews = [
        asyncio.run(crew_ms(MarketPart(view, assumptions, EvidenceShelf()), fewer)) for _ in range(WARM)
    ]
    cold_fewer = run(MarketPart(view, assumptions, EvidenceShelf()), fewer)
    gc.collect()
    shelf = EvidenceShelf()
    cold, scanned = cpu_ms(lambda: scan(MarketPart(view, assumptions, shelf), question))
    found = len(scanned.results.found)
    del scanned
    kept(MarketPart(view, assumptions, shelf))
    give_back()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    quotes = [run(MarketPart(younger(view, second), assumptions, shelf)) for second in range(1, WARM + 1)]
    part = MarketPart(younger(view, WARM + 1), assumptions, shelf)
    run(part)
    others = [dataclasses.replace(question, account=account(9_000.0 + number)) for number in range(WARM)]
    further = [run(part, other) for other in others]
    other_fees = run(part, dataclasses.replace(question, account=OTHER_FEES))
    stored = [
        stored_ms(MarketPart(younger(view, WARM + 2 + number), assumptions, shelf), question)
        for number in range(WARM)
    ]
    bars, bar_crews = [], []
    for number in range(1, FURTHER):
        part = MarketPart(with_minute(view, minutes, number), assumptions, shelf)
        if number % 2:
            bars.append(run(part))
        else:
            bar_crews.append(asyncio.run(crew_ms(part, question)))
        kept(part)
    tell(
        "scans.w3",
        {
            "instruments": float(view.size),
            "strategies": float(len(strategies())),
            "found": float(found),
            "cold_ms": cold,
            "cold_crew_ms": summary(crews)["median"],
            "cold_fourteen_ms": cold_fewer,
            "cold_crew_fourteen_ms": summary(fewer_crews)["median"],
            "new_bar_ms": summary(bars)["median"],
            "new_bar_crew_ms": summary(bar_crews)["median"],
            "quotes_ms": summary(quotes)["median"],
            "further_user_ms": summary(further)["median"],
            "other_fees_ms": other_fees,
            "stored_ms": summary(stored)["median"],
            "resident_peak_mb": peak_mb,
            "resident_mb": resident_mb(),
        },
    )


if __name__ == "__main__":
    with serving():
        main()
