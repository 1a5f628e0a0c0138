"""What scans saw, kept on disk: it comes back to the letter, shares what is shared, and goes by age and size."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest

from sextant.errors import Expired, InputError
from sextant.evidence.live import LiveRecord
from sextant.kit.clock import SystemClock
from sextant.kit.conditions import Conditions
from sextant.model.account import Account
from sextant.scans.archive import MOST_WAITING, ViewArchive, ViewKeeper
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.markets import breakout_market, known_at, momentum_market

BREAKOUT = "ai_spot_breakout_strategy"
QUESTION = Question(
    ScanRequest(strategy_ids=(BREAKOUT,)), Account(), {BREAKOUT: strategies()[BREAKOUT]}, "test"
)


def part(view: object = None, spread_bps: float | None = None) -> MarketPart:
    return MarketPart(view or breakout_market(), CostAssumptions(spread_bps), EvidenceShelf())  # type: ignore[arg-type]  # a view


def test_a_scan_of_a_kept_part_says_what_the_scan_of_the_part_said(tmp_path: Path) -> None:
    archive, first = ViewArchive(tmp_path), part(spread_bps=7.0)
    first.records["ai"] = LiveRecord(3, 0.5, 1.0, None, frozenset({2}))
    said = scan_view(first, QUESTION)
    archive.keep(first)
    again = archive.load(first.view.content_hash)
    assert (again.assumptions, again.records) == (first.assumptions, first.records)
    assert again.tables.keys() == {BREAKOUT}
    assert msgspec.msgpack.encode(scan_view(again, QUESTION)) == msgspec.msgpack.encode(said)


def test_past_events_are_those_that_were_known_then_not_those_that_would_be_found_now(tmp_path: Path) -> None:
    archive, first = ViewArchive(tmp_path), part()
    strategy = strategies()[BREAKOUT]
    told = first.events(strategy, first.verdict(strategy))
    archive.keep(first)
    again = archive.load(first.view.content_hash)
    assert again.events(strategy, again.verdict(strategy)).content_hash == told.content_hash
    assert again.events(strategy, again.verdict(strategy)) is again.tables[BREAKOUT]


def test_keeping_twice_writes_nothing_and_a_strategy_asked_later_is_added(tmp_path: Path) -> None:
    archive, first = ViewArchive(tmp_path), part()
    archive.keep(first)
    before = {path: path.stat().st_ino for path in tmp_path.glob("*/*/*")}
    archive.keep(first)
    assert {path: path.stat().st_ino for path in tmp_path.glob("*/*/*")} == before
    strategy = strategies()[BREAKOUT]
    first.events(strategy, first.verdict(strategy))
    archive.keep(first)
    assert archive.load(first.view.content_hash).tables.keys() == {BREAKOUT}


def test_younger_views_share_the_blocks_of_older_ones(tmp_path: Path) -> None:
    view = momentum_market()
    [frame] = view.bars.values()
    archive = ViewArchive(tmp_path)
    archive.keep(part(known_at(view, int(frame.open_ns[-1]))))
    before = len(list(tmp_path.glob("blocks/*/*")))
    archive.keep(part(view))
    assert len(list(tmp_path.glob("blocks/*/*"))) == before + 1


def test_what_was_never_kept_has_expired_and_damage_is_told(tmp_path: Path) -> None:
    archive, first = ViewArchive(tmp_path), part()
    with pytest.raises(Expired, match="not kept on this machine"):
        archive.load("0" * 32)
    archive.keep(first)
    [place] = tmp_path.glob("views/*/*")
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        archive.load(first.view.content_hash)
    place.write_bytes(whole)
    next(iter(tmp_path.glob("blocks/*/*"))).unlink()
    with pytest.raises(Expired, match="no longer kept"):
        archive.load(first.view.content_hash)


def test_the_longest_unused_go_first_and_nothing_outlives_its_time(tmp_path: Path) -> None:
    archive = ViewArchive(tmp_path, most_bytes=10**9)
    old, young = part(), part(momentum_market())
    archive.keep(old)
    for path in tmp_path.glob("*/*/*"):
        os.utime(path, (1.0, 1.0))
    archive.keep(young)
    assert archive.prune(time.time()) > 0
    with pytest.raises(Expired):
        archive.load(old.view.content_hash)
    archive.load(young.view.content_hash)
    assert archive.prune(time.time()) == 0
    assert ViewArchive(tmp_path, most_bytes=0).prune(time.time()) > 0
    assert list(tmp_path.glob("*/*/*")) == []


async def test_offered_views_are_kept_and_a_refusing_disk_is_told_once(tmp_path: Path) -> None:
    clock = SystemClock()
    conditions = Conditions(clock)
    blocked = tmp_path / "views"
    blocked.write_text("a file where the folder should be")
    keeper = ViewKeeper(ViewArchive(blocked), clock, conditions)
    serving = asyncio.create_task(keeper.serve())
    first = part()
    for _ in range(3):
        keeper.offer(first)
        await keeper.settled()
    assert [condition.kind for condition in conditions.open()] == ["views_not_kept"]
    blocked.unlink()
    keeper.offer(first)
    await keeper.settled()
    assert conditions.open() == []
    assert ViewArchive(blocked).load(first.view.content_hash).view.content_hash == first.view.content_hash
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def test_only_so_many_views_wait_for_the_disk(tmp_path: Path) -> None:
    clock = SystemClock()
    keeper = ViewKeeper(ViewArchive(tmp_path), clock, Conditions(clock))
    view = momentum_market()
    [frame] = view.bars.values()
    for row in range(1, 3 * MOST_WAITING):
        keeper.offer(part(known_at(view, int(frame.open_ns[-row]))))
    assert keeper.waiting == MOST_WAITING
