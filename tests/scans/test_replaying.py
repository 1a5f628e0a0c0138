"""A scan run again: the same input says the same, and whatever differs is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from sextant.errors import Expired, Insufficient, NotFound
from sextant.kit.clock import SystemClock
from sextant.model.account import Account
from sextant.scans.archive import ViewArchive
from sextant.scans.budget import plan
from sextant.scans.records import ScanRequest
from sextant.scans.replaying import (
    Answered,
    Difference,
    Replayer,
    answers_hash,
    differences,
    run_again,
    stored_answers,
)
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy
from sextant.strategies.prices import CostAssumptions
from support.house import CALLER, House, house
from support.markets import breakout_market

BREAKOUT = "ai_spot_breakout_strategy"
REQUEST = ScanRequest(strategy_ids=(BREAKOUT, "ai_spot_momentum_strategy"))


def ran(account: Account = Account()) -> tuple[Answered, ...]:  # noqa: B008  # frozen
    part = MarketPart(breakout_market(), CostAssumptions(), EvidenceShelf())
    return run_again(part, plan(REQUEST, frozenset(strategies()), strategies()), account, REQUEST)


def test_the_same_input_says_the_same() -> None:
    first, second = ran(), ran()
    assert answers_hash(first) == answers_hash(second)
    assert list(differences(first, second)) == []


def test_what_was_stored_equals_what_was_said_whatever_the_order_and_the_timing() -> None:
    said = ran()
    reports = [(msgspec.structs.replace(item.report, execution_ms=12.5), item.dispositions) for item in said]
    found = [row for item in reversed(said) for row in item.opportunities]
    assert found
    assert answers_hash(stored_answers(reports, found)) == answers_hash(said)


def test_another_account_is_seen_in_the_size_and_nowhere_else_unexplained() -> None:
    then, now = (
        ran(Account(equity_usd=usd, coverage_frac=1.0, free_usd={"binance": usd}))
        for usd in (10_000.0, 50_000.0)
    )
    assert answers_hash(then) != answers_hash(now)
    fields = {item.field for item in differences(then, now)}
    assert "size" in fields
    assert not fields & {"direction", "first_seen_ns", "evidence"}


@pytest.mark.parametrize("lost", ["opportunities", "dispositions"])
def test_what_one_of_them_does_not_say_is_named(lost: str) -> None:
    then = ran()
    now = tuple(msgspec.structs.replace(item, **{lost: ()}) for item in then)
    found = list(differences(then, now))
    assert found
    assert all((item.field, item.then, item.now) == ("present", "yes", "no") for item in found)
    assert list(differences(now, then)) == [
        Difference(item.strategy_id, item.subject, "present", "no", "yes") for item in found
    ]


def test_a_strategy_that_is_gone_is_named() -> None:
    then = ran()
    found = list(differences(then, then[1:]))
    assert found == [Difference(then[0].report.strategy_id, "strategy", "present", "yes", "no")]


CATALOGUE = {name: strategies()[name] for name in (BREAKOUT, "ai_spot_momentum_strategy")}


def replayer(home: House, folder: Path, catalogue: Mapping[str, Strategy] = CATALOGUE) -> Replayer:
    return Replayer(home.ledger, ViewArchive(folder), catalogue, SystemClock(), "now")


async def test_a_stored_scan_says_the_same_again(tmp_path: Path) -> None:
    part = MarketPart(breakout_market(), CostAssumptions(), EvidenceShelf())
    async with house(tmp_path, CATALOGUE, lambda: part) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        await home.ended(accepted.scan_id)
        with pytest.raises(Expired, match="not kept"):
            await replayer(home, tmp_path / "views").replay("user-1", accepted.scan_id)
        ViewArchive(tmp_path / "views").keep(part)
        told = await replayer(home, tmp_path / "views").replay("user-1", accepted.scan_id)
        assert told.identical
        assert told.differences == ()
        assert (told.code_version_then, told.code_version_now) == ("test", "now")
        assert told.view_hash == part.view.content_hash
        with pytest.raises(NotFound):
            await replayer(home, tmp_path / "views").replay("user-2", accepted.scan_id)


async def test_a_strategy_that_was_changed_since_is_found_out(tmp_path: Path) -> None:
    part = MarketPart(breakout_market(), CostAssumptions(), EvidenceShelf())
    async with house(tmp_path, CATALOGUE, lambda: part) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        await home.ended(accepted.scan_id)
        ViewArchive(tmp_path / "views").keep(part)
        changed = dataclasses.replace(CATALOGUE[BREAKOUT], opportunity_type="breakout_of_another_kind")
        told = await replayer(home, tmp_path / "views", CATALOGUE | {BREAKOUT: changed}).replay(
            "user-1", accepted.scan_id
        )
        assert not told.identical
        assert {item.field for item in told.differences} == {"opportunity_type"}
        without = {name: strategy for name, strategy in CATALOGUE.items() if name != BREAKOUT}
        told = await replayer(home, tmp_path / "views", without).replay("user-1", accepted.scan_id)
        assert [(item.strategy_id, item.field, item.now) for item in told.differences] == [
            (BREAKOUT, "present", "no")
        ]


async def test_a_scan_that_runs_or_took_no_view_cannot_be_replayed(tmp_path: Path) -> None:
    async with house(tmp_path, CATALOGUE, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        with pytest.raises(Insufficient, match="not ended"):
            await replayer(home, tmp_path).replay("user-1", accepted.scan_id)
        await home.scans.cancel("user-1", accepted.scan_id)
        with pytest.raises(Insufficient, match="before it took a view"):
            await replayer(home, tmp_path).replay("user-1", accepted.scan_id)
