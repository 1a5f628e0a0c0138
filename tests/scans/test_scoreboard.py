"""The scorecard of a strategy: its past for one caller's costs, or why there is none."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.scans.scoreboard import Scoreboard, decay_of, score
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.evidence import table_of
from support.markets import momentum_market
from support.views import empty_view

MOMENTUM = strategies()["ai_spot_momentum_strategy"]


def part() -> MarketPart:
    return MarketPart(momentum_market(), CostAssumptions(), EvidenceShelf())


def test_both_sides_add_up_to_all_events() -> None:
    found = score(part(), MOMENTUM, Account())
    assert found.reason is None
    assert found.both is not None
    assert found.long is not None
    assert found.short is not None
    assert found.both.n == found.long.n + found.short.n > 0


def test_higher_fees_lower_the_net_by_their_difference_and_leave_the_gross() -> None:
    market = part()
    dear = FeeTier("binance", "spot", "own", 30.0, 30.0, assumed=False, source="venue", read_on="2026-01-01")
    usual, paid = (
        score(market, MOMENTUM, Account()),
        score(market, MOMENTUM, Account(fees={"binance:spot": dear})),
    )
    assert usual.both is not None
    assert paid.both is not None
    assert usual.both.expectancy_bps is not None
    assert paid.both.expectancy_bps is not None
    assert paid.both.gross_mean_bps == usual.both.gross_mean_bps
    assert usual.both.expectancy_bps - paid.both.expectancy_bps == pytest.approx(
        40.0
    )  # entry tier: 10 a side


def test_a_strategy_without_its_inputs_says_which() -> None:
    empty = MarketPart(empty_view("BTC"), CostAssumptions(), EvidenceShelf())
    found = score(empty, MOMENTUM, Account())
    assert found.both is None
    assert found.reason


def test_a_strategy_whose_proposals_carry_their_own_evidence_says_so() -> None:
    found = score(part(), dataclasses.replace(MOMENTUM, evidence_kind="analytic"), Account())
    assert found == msgspec.structs.replace(found, both=None)
    assert "comes with each proposal" in str(found.reason)


def test_the_board_keeps_the_newest_score_and_why_a_strategy_is_silent() -> None:
    board, market = Scoreboard(), part()
    assert board.newest(MOMENTUM.id) is None
    board.learn(market, [MOMENTUM])
    assert board.newest(MOMENTUM.id) == score(market, MOMENTUM, Account())
    board.silence(MOMENTUM.id, "ZeroDivisionError", 7)
    silent = board.newest(MOMENTUM.id)
    assert silent is not None
    assert (silent.reason, silent.as_of_ns, silent.both) == ("ZeroDivisionError", 7, None)


def test_the_past_since_a_time_leaves_out_what_was_entered_before() -> None:
    market = part()
    table = market.events(MOMENTUM, market.verdict(MOMENTUM))
    middle = int(table.entry_ns[table.count // 2])
    found, every = score(market, MOMENTUM, Account(), middle), score(market, MOMENTUM, Account())
    assert found.both is not None
    assert every.both is not None
    assert found.both.n == int((table.entry_ns >= middle).sum()) < every.both.n


def test_a_later_half_that_earns_less_beyond_chance_has_decayed() -> None:
    days = 60
    table = table_of(np.where(np.arange(days) < days // 2, 0.01, -0.01) + 0.001 * (np.arange(days) % 3))
    gone = decay_of(table, table.gross)
    assert (gone.state, round(gone.mean_before_bps or 0), round(gone.mean_recent_bps or 0)) == (
        "decayed",
        110,
        -90,
    )
    same = table_of(np.tile([-0.001, 0.0, 0.001], days // 3))
    assert decay_of(same, same.gross).state == "steady"
    few = table_of(np.array([0.01]))
    assert decay_of(few, few.gross).state == "unknown"
