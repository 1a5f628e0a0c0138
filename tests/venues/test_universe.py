from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from sextant.model.events import DerivativesUpdate, Event
from sextant.model.instrument import Instrument, Status
from sextant.venues.port import Listing
from sextant.venues.universe import Terms, Universe, ranked_by, turnover_usd
from support.listings import listing

BASES = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC")


def listed(*bases: str, status: Status = "trading") -> list[Listing]:
    made = [listing(f"{base}USDT", base) for base in bases]
    return [
        Listing(one.category, one.symbol, msgspec.structs.replace(one.spec, status=status)) for one in made
    ]


def facts(amounts: Mapping[str, float | None]) -> list[Event]:
    return [
        DerivativesUpdate(listing(f"{base}USDT", base).instrument, 1, 1, turnover_24h=amount)
        for base, amount in amounts.items()
    ]


def bases(universe: Universe) -> list[str]:
    return [name.base for name in universe.chosen]


FALLING = {base: 700.0 - 100.0 * at for at, base in enumerate(BASES)}


def test_the_first_look_takes_the_largest_at_once() -> None:
    universe = Universe(Terms(most=2))
    change = universe.look(listed(*BASES), facts(FALLING))
    assert [one.symbol for one in change.entered] == ["BTCUSDT", "ETHUSDT"]
    assert change.left == ()
    assert bases(universe) == ["BTC", "ETH"]


def test_a_riser_enters_at_the_second_look_and_pushes_out_the_last_only_beyond_the_border() -> None:
    universe = Universe(Terms(most=2))
    universe.look(listed(*BASES), facts(FALLING))
    risen = FALLING | {"SOL": 900.0}
    assert universe.look(listed(*BASES), facts(risen)).entered == ()
    assert [one.symbol for one in universe.look(listed(*BASES), facts(risen)).entered] == ["SOLUSDT"]
    assert bases(universe) == ["SOL", "BTC", "ETH"]  # the third rank is not beyond 1.5 times two
    fallen = risen | {"ETH": 450.0, "XRP": 500.0}
    for _ in range(2):
        assert universe.look(listed(*BASES), facts(fallen)).left == ()
    assert [name.base for name in universe.look(listed(*BASES), facts(fallen)).left] == ["ETH"]


def test_one_that_is_delisted_or_missing_leaves_at_once_and_a_halted_one_stays() -> None:
    universe = Universe(Terms(most=3))
    universe.look(listed(*BASES), facts(FALLING))
    now = [
        *listed("BTC"),
        *listed("ETH", status="halted"),
        *listed("SOL", status="delisted"),
        *listed("XRP", status="halted"),
    ]
    change = universe.look(now, facts(FALLING))
    assert [name.base for name in change.left] == ["SOL"]
    universe.look(now, facts(FALLING))
    assert bases(universe) == ["BTC", "ETH"]  # XRP is halted and was never in
    assert [name.base for name in universe.look(listed("ETH"), facts(FALLING)).left] == ["BTC"]


@pytest.mark.parametrize("include", ["LTC", "ltc/usdt", "LTC-USDT", "bybit:LTC-USDT:perpetual"])
def test_an_included_one_is_in_whatever_its_rank_and_an_excluded_one_never(include: str) -> None:
    universe = Universe(Terms(most=2, include=(include,), exclude=("BTC",)))
    universe.look(listed(*BASES), facts(FALLING))
    assert bases(universe) == ["ETH", "SOL", "LTC"]
    both = Universe(Terms(most=2, include=("BTC",), exclude=("BTC",)))
    both.look(listed(*BASES), facts(FALLING))
    assert bases(both) == ["ETH", "SOL"]


def test_a_floor_is_entered_at_its_amount_and_left_below_two_thirds_of_it() -> None:
    universe = Universe(Terms(most=5, floor_usd=600.0))
    universe.look(listed(*BASES), facts(FALLING))
    assert bases(universe) == ["BTC", "ETH"]
    for _ in range(5):
        universe.look(listed(*BASES), facts(FALLING | {"ETH": 401.0}))
    assert bases(universe) == ["BTC", "ETH"]
    for _ in range(3):
        universe.look(listed(*BASES), facts(FALLING | {"ETH": 399.0}))
    assert bases(universe) == ["BTC"]


def test_unknown_turnover_comes_last_and_names_break_ties() -> None:
    known = turnover_usd(facts({"ETH": 5.0, "BTC": 5.0, "SOL": None}))
    names = [one.instrument for one in listed("SOL", "ETH", "ADA", "BTC")]
    assert [name.base for name in ranked_by(names, known)] == ["BTC", "ETH", "ADA", "SOL"]


def test_turnover_in_other_quotes_is_told_in_dollars_where_their_price_is_known() -> None:
    def spot(base: str, quote: str, turnover: float, last: float) -> DerivativesUpdate:
        return DerivativesUpdate(
            Instrument("kraken", base, quote, "spot"), 1, 1, last=last, turnover_24h=turnover
        )

    told = turnover_usd(
        [spot("EUR", "USD", 50.0, 1.25), spot("BTC", "EUR", 400.0, 80_000.0), spot("BTC", "JPY", 9e9, 1e7)]
    )
    assert {str(name): amount for name, amount in told.items()} == {
        "kraken:EUR-USD:spot": 50.0,
        "kraken:BTC-EUR:spot": 500.0,
    }
