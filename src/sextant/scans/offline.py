"""A scan of a given view without a server: the same arithmetic, no clock, equal bytes for equal input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping

import msgspec

from sextant.errors import Insufficient
from sextant.model.account import Account
from sextant.model.opportunity import Outcome
from sextant.scans import transitions
from sextant.scans.budget import plan
from sextant.scans.records import Coverage, Found, ScanRequest, ScanResults, ScanStatus, StrategyReport
from sextant.scans.run import MarketPart, StrategyRun, run_strategy, skipped_run, tiers_in
from sextant.scans.universe import choose, tier_of
from sextant.strategies.contract import Strategy
from sextant.strategies.ranking import ranked

OFFLINE_USER = "offline"


def scan_view(
    part: MarketPart,
    request: ScanRequest,
    account: Account,
    catalogue: Mapping[str, Strategy],
    code_version: str,
    told: Callable[[StrategyReport], None] = lambda _: None,
) -> tuple[ScanResults, Coverage]:
    """What a scan finds in a view, ranked, and why everything else was refused.

    Identifiers are hashes of what was scanned and asked, and no answer holds a timing, so the
    same view, request, account and code give the same bytes.

    Parameters
    ----------
    told
        Called with each strategy's report as it ends.

    Raises
    ------
    InputError
        If the request names no instrument or strategy that exists.
    Insufficient
        If the view holds no instrument.
    """
    if not part.view.size:
        raise Insufficient("The view holds no instrument at that time.", reason="too_little_history")
    planned = plan(request, frozenset(catalogue), catalogue)
    universe = choose(part.view, request, part.turnover_usd)
    runs: list[StrategyRun] = []
    for item in planned:
        if item.skip is not None:
            runs.append(skipped_run(item.strategy, item.skip, "not_entitled", universe, part.view))
        else:
            runs.append(run_strategy(item.strategy, part, account, request, universe))
        told(runs[-1].report)
    reports = tuple(run.report for run in runs)
    scan_id = _hashed(
        "scan", part.view.content_hash, msgspec.json.encode((request, account, code_version)).decode()
    )
    rows = ranked([row for run in runs for row in run.opportunities])
    found = tuple(
        Found(_hashed("opp", scan_id, row.opportunity_key), rank, part.view.as_of_ns, row)
        for rank, row in enumerate(rows, 1)
    )
    as_of_ns = part.view.as_of_ns
    status = ScanStatus(
        scan_id=scan_id,
        user_id=OFFLINE_USER,
        status="complete",
        outcome=transitions.outcome_of(reports),
        phase="completed",
        version=1,
        message=f"{len(found)} opportunities from {len(reports)} strategies.",
        total_strategies=len(reports),
        ended_strategies=len(reports),
        found_count=len(found),
        outcomes=_outcomes(reports),
        started_ns=as_of_ns,
        updated_ns=as_of_ns,
        finished_ns=as_of_ns,
        as_of_ns=as_of_ns,
        view_hash=part.view.content_hash,
        code_version=code_version,
        feed=part.view.feed,
        simulated=part.view.simulated,
        request=request,
        unmatched=universe.unmatched,
        error=None,
        remaining_s=None,
        universe_count=universe.count,
        tiers=tiers_in(universe, tier_of),
    )
    candidates = tuple((run.report.strategy_id, item) for run in runs for item in run.dispositions)
    return (
        ScanResults(status=status, found=found, strategies=reports, recommendations=(), phase_ms={}),
        Coverage(status=status, strategies=reports, candidates=candidates),
    )


def _outcomes(reports: Collection[StrategyReport]) -> dict[Outcome, int]:
    counts: dict[Outcome, int] = {}
    for report in reports:
        if report.outcome is not None:
            counts[report.outcome] = counts.get(report.outcome, 0) + 1
    return counts


def _hashed(prefix: str, *parts: str) -> str:
    return f"{prefix}_{hashlib.blake2b('|'.join(parts).encode(), digest_size=16).hexdigest()}"
