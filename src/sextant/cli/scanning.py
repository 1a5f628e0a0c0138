"""``sextant scan``: over a recorded bar pack, or by a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from sextant.cli import render
from sextant.errors import InputError
from sextant.model.account import Account, Profile
from sextant.model.times import parse_time_ns
from sextant.scans.records import GradeFilter, ScanRequest, ScanResults, StrategyReport

POLL_S: Final = 0.25  # a scan takes well under a second; status answers are nearly free
WAIT_S: Final = 75.0  # a scan's hard stop and some grace


@dataclass(frozen=True)
class Wanted:
    """What the caller asks of a scan."""

    instruments: tuple[str, ...]
    strategies: tuple[str, ...] | None
    min_grade: GradeFilter
    profile: Profile
    equity_usd: float | None

    def request(self) -> ScanRequest:
        """The request of the room."""
        return ScanRequest(
            instruments=self.instruments, strategy_ids=self.strategies, min_grade=self.min_grade
        )

    def account(self, venue: str) -> Account:
        """An account with all its equity free at one venue; without equity, an illustrative one."""
        if self.equity_usd is None:
            return Account(profile=self.profile)
        return Account(
            equity_usd=self.equity_usd,
            coverage_frac=1.0,
            free_usd={venue: self.equity_usd},
            profile=self.profile,
        )


def scan_replay(path: Path, as_of: str | None, spread_bps: float, wanted: Wanted, *, as_json: bool) -> None:
    """Scan a bar pack as of a time and print what was found."""
    from sextant.api.scans import coverage_body, results_body

    with Console(stderr=True).status(f"scanning {path.name}") as shown:

        def told(report: StrategyReport) -> None:
            shown.update(f"{report.strategy_id}: {report.opportunities} of {report.candidates}")

        results, notes = replay_results(path, as_of, spread_bps, wanted, told)
    body = results_body(results)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(body, indent=2) + b"\n")
        return
    decode = msgspec.json.decode
    render.scan(Console(), decode(body), decode(coverage_body(results)), notes)


def replay_results(
    path: Path,
    as_of: str | None,
    spread_bps: float,
    wanted: Wanted,
    told: Callable[[StrategyReport], None] = lambda _: None,
) -> tuple[ScanResults, tuple[str, ...]]:
    """What a scan of a bar pack finds as of a time, and what was assumed to find it.

    Raises
    ------
    InputError
        If the file is no pack of bars, no bar had closed by then, or the spread is out of bounds.
    """
    from sextant.cli.version import code_version
    from sextant.market.ingest import ingest
    from sextant.market.state import MarketState
    from sextant.scans.offline import Question, scan
    from sextant.scans.run import EvidenceShelf, MarketPart
    from sextant.strategies.catalog import strategies
    from sextant.strategies.prices import CostAssumptions
    from sextant.venues.packs import bar_pack_events

    if not 0 <= spread_bps <= 1_000:
        raise InputError(f"--assume-spread-bps is {spread_bps}; allowed are 0..1000.")
    until_ns = None if as_of is None else parse_time_ns(as_of)
    pack = bar_pack_events(path, until_ns=until_ns)
    state = MarketState("replay", simulated=False)
    ingest(state, pack.events)
    view = state.view(pack.period[1] if until_ns is None else until_ns)
    part = MarketPart(view, CostAssumptions(spread_bps_assumed=spread_bps), EvidenceShelf())
    question = Question(
        wanted.request(), wanted.account(pack.instruments[0].venue), strategies(), code_version()
    )
    results = scan(part, question, told).results
    return results, (*pack.notes, _assumed(spread_bps))


def _assumed(spread_bps: float) -> str:
    return f"A spread of {spread_bps:g} bps is assumed everywhere: the recording has no quotes (--assume-spread-bps)."


async def scan_server(server: str, wanted: Wanted, *, as_json: bool) -> None:
    """Ask a server for a scan, wait for its end, and print what it found."""
    from sextant.cli.client import Client
    from sextant.cli.settings import token

    body: dict[str, Any] = {"symbols": list(wanted.instruments), "min_grade": wanted.min_grade}
    if wanted.strategies is not None:
        body["strategy_ids"] = list(wanted.strategies)
    async with Client(server, token()) as client:
        accepted = await client.post(
            "/api/v1/opportunities/discover", {k: v for k, v in body.items() if v != []}
        )
        with Console(stderr=True).status("scanning") as shown:
            async with asyncio.timeout(WAIT_S):
                while True:
                    status = await client.get(accepted["poll_url"])
                    shown.update(status["message"])
                    if status["status"] != "scanning":
                        break
                    await asyncio.sleep(POLL_S)
        results = await client.get(accepted["results_url"])
        coverage = None if as_json else await client.get(results["coverage_url"])
    if coverage is None:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    else:
        render.scan(Console(), results, coverage["strategies"])
