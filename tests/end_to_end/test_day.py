"""Two whole days of the simulated market, scanned every two hours through POST discover: every strategy speaks, none floods."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from sextant.model.account import Account
from sextant.model.balance import Balance
from sextant.model.view import View
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.sim.market_model import MarketModel
from sextant.sim.universe import Listing
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from sextant.vault.records import User
from support.api import Api, api_on
from support.database import sqlite
from support.day import SimulatedDay

SEED: Final = 7
STEP_MINUTES: Final = 120
DAY_MINUTES: Final = 1_440
CHAINS_EVERY: Final = 720
WAIT_S: Final = 240.0


@dataclasses.dataclass(frozen=True)
class Season:
    """A day of the simulated world, and how much more of each return the whole market explains on it."""

    day: int
    together: float


SEASONS: Final = (Season(20_811, 0.0), Season(20_080, 0.5))
"""Everybody for himself, with dear options and a pair apart; and all as one, with crowded funding and calm books."""

QUIET: Final = ("XEM", "ORCA", "HNT")
FOURTEEN: Final = (
    "ai_spot_momentum_strategy", "ai_spot_mean_reversion", "ai_spot_breakout_strategy", "ai_scalping_strategy",
    "ai_pairs_trading", "ai_statistical_arbitrage", "ai_market_making", "ai_futures_trade", "ai_options_trade",
    "ai_complex_strategy", "ai_funding_arbitrage", "ai_hedge_position", "ai_risk_management", "ai_portfolio_optimization",
)  # fmt: skip


def calm(listing: Listing) -> Listing:
    """The listing as one that hardly moves and trades much, with a book 30 basis points wide."""
    spread_ticks = round(30e-4 * listing.price / listing.tick)
    return dataclasses.replace(listing, volatility=0.006, turnover=2e8, spread_ticks=spread_ticks)


def universe(model: MarketModel) -> list[Listing]:
    """Sixty perpetuals, the spot of forty of them, and three calm books."""
    found = []
    for listing in model.listings:
        if listing.category == "linear" and listing.base in QUIET:
            model.relist(calm(listing))
            found.append(calm(listing))
        elif listing.lane < (40 if listing.category == "spot" else 60):
            found.append(listing)
    model._closes = model._daily_closes()
    return found


def holdings(view: View) -> Account:
    """Most of its money in one asset, and the rest where options and perpetuals are traded."""
    spot = {
        s.instrument.base: view.quotes.bid[c]
        for c, s in enumerate(view.instruments)
        if s.instrument.kind == "spot"
    }

    def held(asset: str, usd: float, venue: str = "bybit") -> Balance:
        units = Decimal(str(round(usd / float(spot.get(asset, 1.0)), 6)))
        return Balance(
            venue=venue, asset=asset, total=units, free=units, value_usd=usd, as_of_ns=view.as_of_ns, source="simulated"
        )  # fmt: skip

    balances = (
        held("DOGE", 120_000.0), held("BTC", 40_000.0), held("ETH", 20_000.0), held("USDT", 100_000.0),
        held("USDC", 50_000.0, "deribit"), held("BTC", 60_000.0, "deribit"), held("ETH", 10_000.0, "deribit"),
    )  # fmt: skip
    return Account(
        equity_usd=sum(one.value_usd or 0.0 for one in balances),
        coverage_frac=1.0,
        free_usd={"bybit": 100_000.0, "deribit": 120_000.0},
        balances=balances,
    )


class Shown:
    """The market of the moment, and the account as it is worth then."""

    def __init__(self) -> None:
        self.begin(SEASONS[0])

    def begin(self, season: Season) -> None:
        model = MarketModel(SEED, 240, season.together)
        quiet = [f"{base}USDT" for base in QUIET]
        self._day = SimulatedDay(model, universe(model), season.day, quiet)
        self._shelf = EvidenceShelf()
        self.move(0)

    def move(self, minute: int) -> None:
        view = self._day.view(minute, chains=minute % CHAINS_EVERY == 0)
        self.part = MarketPart(view, CostAssumptions(), self._shelf)

    async def account(self, _: User) -> Account:
        return holdings(self.part.view)


@pytest.fixture
async def shown() -> Shown:
    return Shown()


@pytest.fixture
async def api(tmp_path: Path, shown: Shown) -> AsyncIterator[Api]:
    async with (
        sqlite(tmp_path) as db,
        api_on(db, working=True, shown=lambda: shown.part, account_of=shown.account) as found,
    ):
        yield found


async def scanned(api: Api) -> list[dict[str, Any]]:
    """What became of a scan of everything, by strategy."""
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    async with asyncio.timeout(WAIT_S):
        async for _ in await api.rooms.scans.events(user.user_id, scan_id, 0):
            pass
    coverage = await api.client.get(f"/api/v1/scans/{scan_id}/coverage", headers=bearer)
    assert coverage.status_code == 200, coverage.text
    told: list[dict[str, Any]] = coverage.json()["strategies"]
    return told


@pytest.mark.timeout(900)
async def test_on_simulated_days_every_strategy_speaks_and_none_floods(api: Api, shown: Shown) -> None:
    found, candidates, most, outcomes = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    floods = []
    for season in SEASONS:
        shown.begin(season)
        for minute in range(0, DAY_MINUTES, STEP_MINUTES):
            shown.move(minute)
            for told in await scanned(api):
                name, emitted = told["strategy_id"], told["dispositions"]["opportunity"]
                found[name] += emitted
                candidates[name] += told["candidates"]
                most[name] = max(most[name], emitted)
                outcomes[told["outcome"]] += 1
                if emitted > max(2, told["candidates"] / 4):
                    floods.append((season.day, minute, name, emitted, told["candidates"]))
            api.clock.advance(STEP_MINUTES * 60.0)
    table = [
        f"{name:28}{found[name]:6} of {candidates[name]:6} candidates, at most {most[name]:2} in one scan"
        for name in strategies()
    ]
    sys.stdout.write("\n".join(("", *table, "")))
    assert outcomes["failed"] == outcomes["late"] == 0
    assert floods == []
    assert [name for name in FOURTEEN if not found[name]] == []
