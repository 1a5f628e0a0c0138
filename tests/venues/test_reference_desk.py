"""Sources in their order against their simulators: fallback, penalties, budgets, states, and the age of every price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from sextant.errors import ConfigError, InputError
from sextant.kit.clock import Deadline, ManualClock
from sextant.sim import coincap as simulated_coincap
from sextant.sim import coingecko as simulated_coingecko
from sextant.sim.coincap import CoinCapSimulation
from sextant.sim.coingecko import CoinGeckoSimulation
from sextant.venues.catalog import price_sources
from sextant.venues.reference import PriceSource, Told
from sextant.venues.reference_desk import Penalties, PriceDesk, chosen, opened

NOW_NS = 1_790_000_010_000_000_000
ORDER = ("coingecko", "coincap", "coincap2")


class Stage:
    def __init__(
        self, clock: ManualClock, gecko: CoinGeckoSimulation, cap: CoinCapSimulation, desk: PriceDesk
    ) -> None:
        self.clock, self.gecko, self.cap, self.desk = clock, gecko, cap, desk

    async def ask(self, *assets: str, seconds: float = 20.0) -> Told:
        """The prices, with time passing while they are fetched."""
        asking = asyncio.ensure_future(self.desk.prices(assets, Deadline(self.clock, seconds)))
        for _ in range(2_000):
            if asking.done():
                break
            for _ in range(20):
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            if not asking.done():
                self.clock.advance(0.05)
        return await asking

    def calls(self) -> tuple[int, int]:
        """How often each simulator was asked."""
        return self.gecko.counters.requests, self.cap.counters.requests

    def states(self) -> dict[str, tuple[str, str]]:
        return {each.name: (each.tier, each.state.status) for each in self.desk.states()}


def moved(source: PriceSource, gecko: CoinGeckoSimulation, cap: CoinCapSimulation) -> PriceSource:
    """The source with its hosts on loopback."""
    hosts = {
        "https://api.coingecko.com": gecko.base_url,
        "https://pro-api.coingecko.com": gecko.pro_url,
        "https://rest.coincap.io": cap.base_url,
    }
    return replace(source, tiers=tuple(replace(tier, url=hosts[tier.url]) for tier in source.tiers))


@asynccontextmanager
async def staged(
    folder: Path,
    *,
    gecko: Sequence[dict[str, Any]] = (),
    cap: Sequence[dict[str, Any]] = (),
    plan: str = "demo",
    keys: dict[str, str] | None = None,
    order: Sequence[str] = ORDER,
) -> AsyncIterator[Stage]:
    clock = ManualClock(NOW_NS)
    async with (
        simulated_coingecko.start(clock, seed=7, instruments=24, faults=gecko) as first,
        simulated_coincap.start(clock, seed=7, instruments=24, faults=cap) as second,
    ):
        every = {
            "coingecko_demo_key": first.demo_key if plan == "demo" else "",
            "coingecko_pro_key": first.pro_key if plan == "pro" else "",
            "coincap_key": second.key,
        }
        sources = [moved(source, first, second) for source in chosen(order, price_sources())]
        async with opened(sources, every if keys is None else keys, clock, folder) as desk:
            yield Stage(clock, first, second, desk)


def truth(stage: Stage, symbol: str, plan: str) -> float:
    return stage.gecko.price(next(each for each in stage.gecko.assets if each.symbol == symbol), plan).price


@pytest.mark.parametrize("plan", ["keyless", "demo", "pro"])
async def test_prices_come_from_the_first_source_with_its_name_time_and_age(
    tmp_path: Path, plan: str
) -> None:
    async with staged(tmp_path, plan=plan) as stage:
        told = await stage.ask("btc", "ETH", "USDT", "BTC")
        assert [price.asset for price in told.prices] == ["BTC", "ETH", "USDT"]
        for price in told.prices:
            assert float(price.usd) == pytest.approx(truth(stage, price.asset, plan), rel=1e-12)
            assert price.source == "coingecko"
            assert price.as_of_ns == stage.gecko.moment(plan) * 1_000_000
            assert 0 <= price.age_s(stage.clock.now_ns()) < 61
        assert stage.calls() == (1, 0)
        assert stage.states() == {
            "coingecko": (plan, "healthy"),
            "coincap": ("v3", "healthy"),
            "coincap2": ("", "retired"),
        }


async def test_a_source_is_not_asked_again_before_it_renews_its_prices(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        first = await stage.ask("BTC", "ETH")
        stage.clock.advance(50)
        assert (await stage.ask("BTC", "ETH")).prices == first.prices
        assert stage.calls() == (1, 0)
        stage.clock.advance(15)
        renewed = (await stage.ask("BTC", "ETH")).prices
        assert renewed[0].as_of_ns > first.prices[0].as_of_ns
        assert stage.calls() == (2, 0)


async def test_many_who_ask_at_once_share_one_question(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        answers = await asyncio.gather(
            *(stage.desk.prices(["BTC"], Deadline(stage.clock, 20)) for _ in range(20))
        )
        assert {answer.prices[0].usd for answer in answers} == {answers[0].prices[0].usd}
        assert stage.calls() == (1, 0)


async def test_an_unknown_asset_is_absent_with_its_reason_and_costs_the_others_nothing(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as stage:
        told = await stage.ask("BTC", "NOSUCH")
        assert [price.asset for price in told.prices] == ["BTC"]
        [absent] = told.absent
        assert (absent.asset, absent.reason) == ("NOSUCH", "unknown_asset")
        assert "coingecko" in absent.detail


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"fault": "status", "status": 503, "times": 3}, "healthy"),  # three attempts of one read
        ({"fault": "html", "times": 3}, "healthy"),
        ({"fault": "reset", "byte": 40, "times": 3}, "healthy"),
        ({"fault": "limited", "retry_after": 119}, "limited"),
        ({"fault": "html", "status": 429, "retry_after": 60}, "limited"),
        ({"fault": "banned"}, "limited"),
        ({"fault": "drift", "field": "0.symbol", "renamed": "ticker"}, "healthy"),
        ({"fault": "body", "text": '[{"id":"bitcoin","current_price":NaN}]'}, "healthy"),
    ],
)
async def test_when_the_first_fails_the_next_answers_and_is_named(
    tmp_path: Path, fault: dict[str, Any], status: str
) -> None:
    async with staged(tmp_path, gecko=[{"at": {"call": 1}, **fault}]) as stage:
        told = await stage.ask("BTC", "ETH", "GOAT")
        assert {price.asset: price.source for price in told.prices} == {"BTC": "coincap", "ETH": "coincap"}
        assert float(told.prices[0].usd) == pytest.approx(truth(stage, "BTC", "demo"), rel=1e-9)
        [absent] = told.absent  # CoinCap is not asked for what it has no name of
        assert (absent.asset, absent.reason) == ("GOAT", "no_source")
        assert "coingecko" in absent.detail
        assert stage.states()["coingecko"][1] == status
        assert stage.gecko.counters.after_retry_after == 0
        assert stage.gecko.counters.after_ban == 0


async def test_who_failed_stands_back_and_comes_back(tmp_path: Path) -> None:
    script = {"at": {"call": 1}, "fault": "status", "status": 503, "times": 3}
    async with staged(tmp_path, gecko=[script]) as stage:
        assert (await stage.ask("BTC")).prices[0].source == "coincap"
        asked = stage.calls()[0]
        assert (await stage.ask("ETH")).prices[0].source == "coincap"  # within the penalty of 30 s
        assert stage.calls()[0] == asked
        stage.clock.advance(90)
        assert (await stage.ask("BTC")).prices[0].source == "coingecko"


async def test_a_source_under_penalty_is_still_asked_when_nobody_else_answers(tmp_path: Path) -> None:
    first = {"at": {"call": 1}, "fault": "status", "status": 503, "times": 3}
    second = {"at": {"call": 2}, "fault": "status", "status": 503, "times": 30}
    async with staged(tmp_path, gecko=[first], cap=[second]) as stage:
        assert (await stage.ask("BTC")).prices[0].source == "coincap"
        assert (await stage.ask("ETH")).prices[0].source == "coingecko"


async def test_when_nobody_answers_the_last_price_is_given_with_its_age_for_an_hour(tmp_path: Path) -> None:
    away = {"at": {"call": 2}, "fault": "status", "status": 503, "times": 10_000}
    gone = {"at": {"call": 1}, "fault": "status", "status": 503, "times": 10_000}
    async with staged(tmp_path, gecko=[away], cap=[gone]) as stage:
        known = (await stage.ask("BTC")).prices[0]
        stage.clock.advance(600)
        told = await stage.ask("BTC", "ETH")
        assert told.prices == (known,)
        assert 600 < told.prices[0].age_s(stage.clock.now_ns()) < 700
        assert [(each.asset, each.reason) for each in told.absent] == [("ETH", "no_source")]
        stage.clock.advance(3_100)
        told = await stage.ask("BTC")
        assert told.prices == ()
        assert [(each.asset, each.reason) for each in told.absent] == [("BTC", "no_source")]
        for _ in range(4):
            stage.clock.advance(5)
            await stage.ask("BTC")
        assert stage.states()["coingecko"][1] == "failing"


async def test_a_refused_key_is_tried_twice_and_then_no_more(tmp_path: Path) -> None:
    keys = {"coingecko_demo_key": "CG-wrong", "coincap_key": "wrong"}
    async with staged(tmp_path, keys=keys) as stage:
        for _ in range(6):
            told = await stage.ask("BTC")
            assert [(each.asset, each.reason) for each in told.absent] == [("BTC", "no_source")]
            stage.clock.advance(120)
        assert stage.calls() == (2, 2)
        assert stage.states()["coingecko"] == ("demo", "needs_key")
        assert stage.states()["coincap"] == ("v3", "needs_key")


async def test_a_source_without_its_key_and_a_retired_one_make_no_traffic(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as said:
        async with staged(tmp_path, keys={}, order=("coincap2", "coincap", "coingecko")) as stage:
            for _ in range(3):
                assert (await stage.ask("BTC")).prices[0].source == "coingecko"
                stage.clock.advance(61)
            assert stage.calls() == (3, 0)
            assert stage.cap.retired_calls == 0
            assert stage.states() == {
                "coingecko": ("keyless", "healthy"),
                "coincap2": ("", "retired"),
                "coincap": ("", "needs_key"),
            }
    told = [line for line in said if line["event"] == "prices.closed"]
    assert [(line["source"], line["state"]) for line in told] == [
        ("coincap2", "retired"),
        ("coincap", "needs_key"),
    ]  # once, at the start


async def test_the_budget_of_a_plan_is_kept_by_itself(tmp_path: Path) -> None:
    async with staged(tmp_path, plan="keyless", order=("coingecko",)) as stage:
        # Four of the five calls a minute are ours; others may share the address.
        for asset in ("BTC", "ETH", "SOL", "XRP"):
            assert (await stage.ask(asset)).prices
        assert stage.calls() == (4, 0)
        told = await stage.ask("BNB", seconds=2.0)
        assert [each.reason for each in told.absent] == ["no_source"]
        assert stage.calls() == (4, 0)
        stage.clock.advance(61)
        assert (await stage.ask("BNB")).prices
        assert stage.gecko.counters.limited == 0


async def test_no_key_is_written_anywhere(tmp_path: Path) -> None:
    faults = [{"at": {"call": 1}, "fault": "status", "status": 500, "times": 4}]
    with structlog.testing.capture_logs() as said:
        async with staged(tmp_path, gecko=faults, cap=faults) as stage:
            told = await stage.ask("BTC")
            keys = (stage.gecko.demo_key, stage.cap.key)
            shown = f"{told} {stage.desk.states()} {said}"
            assert not any(key in shown for key in keys)
    written = "".join(path.read_text() for path in sorted(tmp_path.iterdir()))  # noqa: ASYNC240  # a test alone
    assert not any(key in written for key in keys)


async def test_nobody_waits_longer_than_the_deadline(tmp_path: Path) -> None:
    slow = [{"at": {"call": 1}, "fault": "drip", "bytes_a_second": 0.5, "times": 100}]
    async with staged(tmp_path, gecko=slow, cap=slow) as stage:
        begun_ns = stage.clock.monotonic_ns()
        told = await stage.ask("BTC", seconds=7.0)
        assert [each.reason for each in told.absent] == ["no_source"]
        assert (stage.clock.monotonic_ns() - begun_ns) / 1e9 <= 7.2


@pytest.mark.parametrize("assets", [["BTC;"], ["A" * 21], [""], [f"A{number}" for number in range(2_001)]])
async def test_what_is_no_asset_is_refused_before_anybody_is_asked(tmp_path: Path, assets: list[str]) -> None:
    async with staged(tmp_path) as stage:
        with pytest.raises(InputError):
            await stage.ask(*assets)
        assert stage.calls() == (0, 0)


def test_an_order_of_unknown_sources_stops_the_program() -> None:
    with pytest.raises(ConfigError, match="coinmarket"):
        chosen(["coingecko", "coinmarket"], price_sources())
    assert [source.name for source in chosen(["coincap", "coingecko", "coincap"], price_sources())] == [
        "coincap",
        "coingecko",
    ]


def test_penalties_grow_and_end() -> None:
    clock = ManualClock(NOW_NS)
    penalties = Penalties(clock)
    names = ["a", "b", "c"]
    assert penalties.ordered(names) == names
    waits = []
    for _ in range(7):
        penalties.fail("a")
        begun_ns = clock.monotonic_ns()
        assert penalties.ordered(names) == ["b", "c", "a"]
        while penalties.ordered(names) != names:
            clock.advance(5)
        waits.append((clock.monotonic_ns() - begun_ns) // 10**9)
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    penalties.succeed("a")
    penalties.fail("a")
    clock.advance(30)
    assert penalties.ordered(names) == names
