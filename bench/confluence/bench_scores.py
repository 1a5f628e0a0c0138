"""Confluence of 1,000 instruments x 1,440 minutes: all of the past, one closed minute more, and one score taken apart."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from harness import summary, tell
from sextant.confluence.catalog import dimensions, voices
from sextant.confluence.explain import breakdown
from sextant.confluence.regime import multipliers
from sextant.confluence.score import fold
from sextant.confluence.scorer import Scorer, evaluate
from sextant.model.times import MINUTE_NS
from sextant.model.view import MINUTE_FIELDS, MinuteFrame, View, minute_digest
from support.indicators import cut, walk
from support.minutes import FIRST, perpetuals, upto, view_of

ROWS, SMALL, LARGE, SEED = 1_440, 50, 1_000, 7
FURTHER = 12


def told_minutes(rows: int, columns: int) -> MinuteFrame:
    """What takers, books and forced closes did in each minute, at random."""
    rng = np.random.default_rng(SEED)
    values = rng.uniform(0.1, 1.0, (len(MINUTE_FIELDS), rows, columns)).astype(np.float32)
    values[MINUTE_FIELDS.index("book_samples")] = 60.0
    open_ns = (FIRST + np.arange(rows, dtype=np.int64)) * MINUTE_NS
    digests = b"".join(minute_digest(int(at), values[:, row]) for row, at in enumerate(open_ns))
    return MinuteFrame(open_ns, (values,), digests)


def views(columns: int) -> list[View]:
    """A day of minutes, and the same with some minutes more."""
    whole = view_of(walk(ROWS + FURTHER, columns, SEED), perpetuals(columns))
    whole = replace(whole, minutes=told_minutes(ROWS + FURTHER, columns))
    return [upto(whole, ROWS + more) for more in range(FURTHER + 1)]


def minutes_ms(market: list[View]) -> tuple[float, list[float]]:
    """Milliseconds of the whole past, and of each closed minute after it."""
    scorer = Scorer()
    begun = time.perf_counter_ns()
    scorer.update(market[0])
    first = (time.perf_counter_ns() - begun) / 1e6
    spent = []
    for view in market[1:]:
        begun = time.perf_counter_ns()
        stepped = scorer.update(view)
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    fresh = evaluate(market[-1])
    assert np.array_equal(stepped.history.coverage, fresh.history.coverage[-ROWS:])
    return first, spent


def fold_ms(columns: int) -> list[float]:
    """Milliseconds of the fold of one row."""
    rng = np.random.default_rng(SEED)
    s = [rng.uniform(-1, 1, (1, columns)) for _ in voices()]
    q = [rng.uniform(0, 1, (1, columns)) for _ in voices()]
    weather = multipliers(*(rng.uniform(0, 1, (1, columns)) for _ in range(3)))
    spent = []
    for _ in range(30):
        begun = time.perf_counter_ns()
        fold(dimensions(), s, q, weather)
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    return spent


def explain_ms(view: View) -> list[float]:
    """Milliseconds of one score taken apart."""
    found = evaluate(view)
    spent = []
    for column in range(20):
        begun = time.perf_counter_ns()
        breakdown(found, column)
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    return spent


def main() -> None:
    warm = view_of(cut(walk(300, 3, SEED), slice(None)), perpetuals(3), FIRST)
    breakdown(evaluate(replace(warm)), 0)
    few, many = views(SMALL), views(LARGE)
    small_first, small = minutes_ms(few)
    large_first, large = minutes_ms(many)
    bar, one, folded = summary(large), summary(explain_ms(few[0])), summary(fold_ms(LARGE))
    tell(
        "confluence.scores",
        {
            "past_1000x1440_ms": large_first,
            "past_50x1440_ms": small_first,
            "minute_1000_ms": bar["median"],
            "minute_1000_p95_ms": bar["p95"],
            "minute_50_ms": summary(small)["median"],
            "minutes_n": bar["n"],
            "fold_1000_ms": folded["median"],
            "breakdown_ms": one["median"],
            "breakdown_p95_ms": one["p95"],
        },
    )


if __name__ == "__main__":
    main()
