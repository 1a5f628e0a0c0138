"""A scan run again: the same input says the same, and whatever differs is named."""

from __future__ import annotations

import msgspec
import pytest

from sextant.model.account import Account
from sextant.scans.budget import plan
from sextant.scans.records import ScanRequest
from sextant.scans.replaying import Answered, Difference, answers_hash, differences, run_again, stored_answers
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
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
