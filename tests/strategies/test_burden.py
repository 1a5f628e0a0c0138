from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.strategies.burden import burden_of, burden_words
from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.ranking import NO_EXPOSURE, AccountRisk, rank_score
from sextant.strategies.sizing import PROFILES
from support.portfolios import DAYS, account, balance, market, normal, position, pricing

BITCOIN = normal(DAYS, 0.02, 1)
VIEW = market({"BTC": BITCOIN, "ETH": normal(DAYS, 0.03, 2), "ANTI": -BITCOIN})
BTC, ETH, ANTI = 0, 2, 4
DAY_S = 86_400.0
HELD = account(balance(VIEW, "binance", "BTC", 100), balance(VIEW, "binance", "USDT", 90_000))


def burden(column: int, direction: int, who: Account = HELD, horizon_s: float = DAY_S) -> AccountRisk:
    return burden_of(pricing(VIEW, who), column, direction, horizon_s)


def test_the_shortfall_is_that_of_what_is_held_over_the_horizon() -> None:
    ground = ground_of(pricing(VIEW, HELD))
    assert isinstance(ground, Ground)
    sigma = float((ground.rows @ ground.exposure).std(ddof=1))
    assert burden(BTC, 1).es95_usd == pytest.approx(2.063 * sigma)
    assert burden(BTC, 1, horizon_s=4 * DAY_S).es95_usd == pytest.approx(2.063 * sigma * 2)
    assert burden(BTC, 1).es_share_of_budget == pytest.approx(ground.es_usd / 5_000)


def test_more_of_the_same_moves_with_it_and_its_sale_against_it() -> None:
    assert burden(BTC, 1).correlation == pytest.approx(1.0)
    assert burden(BTC, -1).correlation == pytest.approx(-1.0)
    assert burden(ANTI, 1).correlation == pytest.approx(-1.0)
    assert abs(burden(ETH, 1).correlation) < 0.15


def test_a_short_position_turns_it_around() -> None:
    short = account(balance(VIEW, "binance", "USDT", 90_000), positions=(position(VIEW, "BTC", -50),))
    assert burden(BTC, 1, short).correlation == pytest.approx(-1.0)


@pytest.mark.parametrize(
    "who",
    [
        Account(),
        account(balance(VIEW, "binance", "USDT", 90_000)),
        account(balance(VIEW, "binance", "BTC", 100), coverage_frac=0.5),
    ],
)
def test_without_known_exposure_nothing_is_credited(who: Account) -> None:
    assert burden(BTC, -1, who) == NO_EXPOSURE


def test_an_instrument_without_common_days_is_taken_to_move_along() -> None:
    frame = VIEW.bars["1d"]
    close = frame.close.copy()
    close[:-50, ETH] = np.nan
    view = dataclasses.replace(VIEW, bars={"1d": dataclasses.replace(frame, close=close)})
    assert burden_of(pricing(view, HELD), ETH, -1, DAY_S).correlation == 1.0


def test_an_offset_ranks_higher_than_the_same_edge_alone() -> None:
    """30 bps on 1,000 USD with 2 % a day: alone 3/41.26 of risk; an offset counts a quarter of it."""
    profile = PROFILES["balanced"]
    alone = rank_score(30.0, 1_000.0, 0.02, profile)
    offset = rank_score(30.0, 1_000.0, 0.02, profile, burden(BTC, -1))
    assert alone == pytest.approx(3.0 / 41.26 - 0.05, rel=1e-4)
    assert offset == pytest.approx(3.0 / (0.25 * 41.26) - 0.05, rel=1e-4)


def test_the_reason_names_the_offset_and_stays_silent_without_one() -> None:
    (words,) = burden_words(burden(BTC, -1), 0.02, 1_000.0)
    assert words.startswith("It offsets part of what you hold (correlation -1.00): it adds 10.3")
    (words,) = burden_words(burden(ETH, 1), 0.02, 1_000.0)
    assert words.startswith("It spreads")
    assert burden_words(burden(BTC, 1), 0.02, 1_000.0) == ()
    assert burden_words(NO_EXPOSURE, 0.02, 1_000.0) == ()
    assert math.isfinite(burden(BTC, 1).es95_usd)
