from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.evidence.events import PER_EVENT, EventTable
from sextant.evidence.merge import merged
from sextant.evidence.partitions import Partition
from sextant.evidence.parts import Part, StrategyFacts
from sextant.model.times import HOUR_NS
from support.markets import specs_of

NAMES = tuple(spec.instrument for spec in specs_of(4))


def facts(name: str = "s", **changes: object) -> StrategyFacts:
    known = {"rows": 50, "params": (("window", 3.0),), "window_start_ns": 0, "window_end_ns": 50 * HOUR_NS}
    return StrategyFacts(name, None, "1h", **(known | changes))  # type: ignore[arg-type]


def events(*places: tuple[int, int]) -> dict[str, np.ndarray]:
    """Events of (row, column of the part); the outcome names both."""
    row, column = np.array(places, dtype=np.int64).reshape(-1, 2).T
    whole = {name: row.copy() for name in PER_EVENT}
    return whole | {
        "column": column.copy(),
        "gross": row + column / 100.0,
        "direction": np.ones(len(row), np.int8),
    }


def part(*said: tuple[StrategyFacts, dict[str, np.ndarray]], costs: tuple[float | None, ...]) -> Part:
    return Part(tuple(item for item, _ in said), tuple(item for _, item in said), costs)


def table(of: EventTable | str) -> EventTable:
    assert isinstance(of, EventTable)
    return of


def test_events_lie_by_row_and_then_instrument_whichever_job_saw_them() -> None:
    cut = (Partition(("s",), (0, 2)), Partition(("s",), (1, 3)))
    left = part((facts(), events((3, 1), (5, 0))), costs=(1.0, 2.0))
    right = part((facts(), events((3, 0), (4, 1), (5, 0))), costs=(3.0, None))
    one = merged(cut, (left, right), NAMES)
    other = merged(cut[::-1], (right, left), NAMES)
    whole = table(one.tables["s"])
    assert list(zip(whole.row.tolist(), whole.column.tolist(), strict=True)) == [
        (3, 1),
        (3, 2),
        (4, 3),
        (5, 0),
        (5, 1),
    ]
    for name in PER_EVENT:
        assert getattr(whole, name).tobytes() == getattr(table(other.tables["s"]), name).tobytes()
    assert one.costs_bps[:3].tolist() == [1.0, 3.0, 2.0]
    assert np.isnan(one.costs_bps[3])


def test_counts_are_added_and_the_median_is_that_of_all_runs() -> None:
    cut = (Partition(("s",), (0, 1)), Partition(("s",), (2, 3)))
    void = (1, 0, 0, 0, 0, 0, 0, 2)
    left = part((facts(void=void, pending_count=1, runs=((1, 3), (4, 1))), events()), costs=(None, None))
    right = part(
        (facts(void=void, pending_count=2, runs=((2, 2), (9, 2)), without=("quote",)), events()),
        costs=(None, None),
    )
    whole = table(merged(cut, (left, right), NAMES).tables["s"])
    assert whole.void.tolist() == [2, 0, 0, 0, 0, 0, 0, 4]
    assert whole.pending_count == 3
    assert whole.without == ("quote",)
    # Runs of 1 1 1 2 2 4 9 9 rows: the middle is 2 hours.
    assert whole.median_run_s == 2 * 3600.0


def test_a_strategy_was_silent_where_it_was_in_every_job() -> None:
    cut = (Partition(("s", "t"), (0, 1)), Partition(("s", "t"), (2, 3)))
    silent = StrategyFacts("t", "no 1m bars", "1m")
    quiet = StrategyFacts("s", "no perpetual instruments", "1h")
    left = part((quiet, events()), (silent, events()), costs=(None, None))
    right = part((facts(), events((7, 1))), (silent, events()), costs=(None, None))
    tables = merged(cut, (left, right), NAMES).tables
    assert tables["t"] == "no 1m bars"
    assert table(tables["s"]).column.tolist() == [3]


@pytest.mark.parametrize("wrong", ["strategy", "columns", "run"])
def test_a_result_of_another_job_or_run_is_refused(wrong: str) -> None:
    cut = (Partition(("s",), (0, 1)), Partition(("s",), (2, 3)))
    good = part((facts(), events()), costs=(None, None))
    bad = {
        "strategy": part((facts("other"), events()), costs=(None, None)),
        "columns": part((facts(), events()), costs=(None,)),
        "run": part((facts(rows=51), events()), costs=(None, None)),
    }[wrong]
    with pytest.raises(InputError, match=r"another job|different runs"):
        merged(cut, (good, bad), NAMES)
