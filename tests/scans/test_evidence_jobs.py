from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.evidence.events import PER_EVENT, EventTable, event_table
from sextant.evidence.merge import Merged
from sextant.kit.blobs import Blobs
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.times import INTERVAL_NS, INTERVALS
from sextant.scans import evidence_jobs
from sextant.scans.evidence_jobs import EvidencePlan, collected, offered, plan_evidence, run_job, unfinished
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.prices import CostAssumptions
from sextant.venues.packs import bar_pack_events
from support.packs import one_file

ONE_BY_ONE = 1


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_file(tmp_path_factory.mktemp("pack"))


def at_once(path: Path) -> dict[str, EventTable | str]:
    """The events of every strategy of bars over the whole pack, in one market state and one pass."""
    replay = bar_pack_events(path)
    first_ns, end_ns = replay.period
    rows = {
        name: (end_ns - first_ns) // INTERVAL_NS[name] + 2
        for name in INTERVALS[INTERVALS.index(replay.interval) :]
    }
    state = MarketState("replay", simulated=False, keep_rows=rows)
    ingest(state, replay.events)
    view = state.view(end_ns)
    columns = Columns(view, CostAssumptions(spread_bps_assumed=5.0))
    found: dict[str, EventTable | str] = {}
    for plugin in strategies().values():
        if plugin.evidence_kind == "bars":
            verdict = plugin.evaluate(view, plugin.defaults(), columns)
            found[plugin.id] = verdict.skipped or event_table(plugin.id, plugin.defaults(), verdict, view)
    return found


def done(plan: EvidencePlan, store: Blobs, order: int = 1) -> Merged:
    jobs = offered(store, plan)
    for job in jobs[::order]:
        run_job(job)
    return collected(store, plan, jobs)


def assert_same(one: EventTable | str, other: EventTable | str) -> None:
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    for name in PER_EVENT:
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), (one.strategy_id, name)
    for name in ("void", "unfilled"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    for name in (
        "pending_count",
        "median_run_s",
        "without",
        "window_end_ns",
        "params",
        "instruments",
        "resting",
    ):
        assert getattr(one, name) == getattr(other, name), (one.strategy_id, name)


def test_jobs_of_one_instrument_each_say_what_one_run_over_all_says_to_the_last_bit(
    pack: Path, tmp_path: Path
) -> None:
    whole = at_once(pack)
    plan = plan_evidence(pack, 5.0, "test", ONE_BY_ONE)
    assert len(plan.partitions) == 12 + 2
    found = done(plan, Blobs(tmp_path))
    assert found.tables.keys() == whole.keys()
    for name, table in whole.items():
        assert_same(table, found.tables[name])
    counts = {name: table.count for name, table in whole.items() if isinstance(table, EventTable)}
    assert counts["ai_spot_mean_reversion"] > 50
    assert counts["ai_spot_breakout_strategy"] > 20
    assert sum(count > 0 for count in counts.values()) >= 4


def test_the_order_in_which_jobs_end_changes_nothing(pack: Path, tmp_path: Path) -> None:
    plan = plan_evidence(pack, 5.0, "test", 4 * 1_700)
    one, other = done(plan, Blobs(tmp_path / "one")), done(plan, Blobs(tmp_path / "other"), -1)
    for name, table in one.tables.items():
        assert_same(table, other.tables[name])
    assert sorted(path.name for path in (tmp_path / "one" / "content").iterdir()) == sorted(
        path.name for path in (tmp_path / "other" / "content").iterdir()
    )


def test_what_has_a_result_is_not_run_again(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, plan = Blobs(tmp_path), plan_evidence(pack, 5.0, "test", 4 * 1_700)
    jobs = offered(store, plan)
    run_job(jobs[0])
    assert unfinished(store, jobs) == list(jobs[1:])
    asked = itertools.count()
    monkeypatch.setattr(evidence_jobs, "part_of", lambda *_: next(asked))
    run_job(jobs[0])
    assert next(asked) == 0


def test_a_damaged_result_is_made_anew(pack: Path, tmp_path: Path) -> None:
    store, plan = Blobs(tmp_path), plan_evidence(pack, 5.0, "test", 4 * 1_700)
    jobs = offered(store, plan)
    digest = (tmp_path / "names" / run_job(jobs[0]).name).read_text()
    content = tmp_path / "content" / digest
    before = content.read_bytes()
    content.write_bytes(before[: len(before) // 2])
    assert unfinished(store, jobs) == list(jobs)
    run_job(jobs[0])
    assert content.read_bytes() == before


def test_a_pack_that_changed_is_not_scored_under_the_old_plan(tmp_path: Path) -> None:
    store = Blobs(tmp_path / "store")
    jobs = offered(store, plan_evidence(one_file(tmp_path, 400), 5.0, "test"))
    one_file(tmp_path, 401)
    with pytest.raises(InputError, match="has changed"):
        run_job(jobs[0])


def test_a_missing_result_or_plan_is_named(pack: Path, tmp_path: Path) -> None:
    store, plan = Blobs(tmp_path), plan_evidence(pack, 5.0, "test")
    jobs = offered(store, plan)
    with pytest.raises(InputError, match=jobs[0].name):
        collected(store, plan, jobs)
    with pytest.raises(InputError, match="is not in"):
        run_job(type(jobs[0])(str(tmp_path), "0" * 32, 0))


def test_whatever_decides_the_answer_has_a_plan_of_its_own(pack: Path) -> None:
    keys = {
        plan_evidence(pack, spread, version, cells).key
        for spread, version, cells in (
            (5.0, "a", 10**6),
            (6.0, "a", 10**6),
            (5.0, "b", 10**6),
            (5.0, "a", 2_000),
        )
    }
    assert len(keys) == 4
    assert plan_evidence(pack, 5.0, "a").key == plan_evidence(pack, 5.0, "a").key
