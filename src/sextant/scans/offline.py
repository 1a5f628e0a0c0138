"""A scan of a given view without a server: the same arithmetic, no clock, equal bytes for equal input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from sextant.errors import Insufficient
from sextant.model.account import Account
from sextant.model.opportunity import Outcome
from sextant.scans import transitions
from sextant.scans.budget import plan
from sextant.scans.records import Coverage, Found, ScanRequest, ScanResults, ScanStatus, StrategyReport
from sextant.scans.run import Asked, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.contract import Strategy
from sextant.strategies.ranking import ranked

OFFLINE_USER: Final = "offline"


@dataclass(frozen=True)
class Question:
    """What is asked of a view, for whom, and by which code.

    Parameters
    ----------
    request, account
        Filters and who asks.
    catalogue
        The strategies there are; all are granted.
    code_version
        Build identity.
    """

    request: ScanRequest
    account: Account
    catalogue: Mapping[str, Strategy]
    code_version: str


@dataclass(frozen=True)
class Scanned:
    """A scan of a view.

    Parameters
    ----------
    results
        What was found, ranked.
    runs
        What each strategy said.
    """

    results: ScanResults
    runs: tuple[StrategyRun, ...]

    @property
    def coverage(self) -> Coverage:
        """Why everything else was refused: a disposition of each candidate of each strategy, made when asked for."""
        return Coverage(
            status=self.results.status,
            strategies=self.results.strategies,
            candidates=tuple(
                (run.report.strategy_id, item) for run in self.runs for item in run.dispositions
            ),
        )


def scan_view(
    part: MarketPart, question: Question, told: Callable[[StrategyReport], None] = lambda _: None
) -> tuple[ScanResults, Coverage]:
    """What a scan finds in a view, ranked, and why everything else was refused; see :func:`scan`."""
    scanned = scan(part, question, told)
    return scanned.results, scanned.coverage


def scan(
    part: MarketPart, question: Question, told: Callable[[StrategyReport], None] = lambda _: None
) -> Scanned:
    """What a scan finds in a view, ranked.

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
    view = part.view
    if not view.size:
        raise Insufficient("The view holds no instrument at that time.", reason="too_little_history")
    request = question.request
    planned = plan(request, frozenset(question.catalogue), question.catalogue)
    asked = Asked(part, choose(view, request, part.turnover_usd), question.account, request)
    runs: list[StrategyRun] = []
    for item in planned:
        runs.append(run_strategy(item.strategy, asked))
        told(runs[-1].report)
    reports = tuple(run.report for run in runs)
    facts = msgspec.json.encode((request, question.account, question.code_version)).decode()
    scan_id = _hashed("scan", view.content_hash, facts)
    rows = ranked([row for run in runs for row in run.opportunities])
    found = tuple(
        Found(_hashed("opp", scan_id, row.opportunity_key), rank, view.as_of_ns, row)
        for rank, row in enumerate(rows, 1)
    )
    status = _status(scan_id, question, asked, reports, len(found))
    results = ScanResults(status=status, found=found, strategies=reports, recommendations=(), phase_ms={})
    return Scanned(results, tuple(runs))


def _status(
    scan_id: str, question: Question, asked: Asked, reports: tuple[StrategyReport, ...], found_count: int
) -> ScanStatus:
    """The status of a scan that ended in the instant it looked at."""
    view, universe = asked.part.view, asked.universe
    return ScanStatus(
        scan_id=scan_id,
        user_id=OFFLINE_USER,
        status="complete",
        outcome=transitions.outcome_of(reports),
        phase="completed",
        version=1,
        message=f"{found_count} opportunities from {len(reports)} strategies.",
        total_strategies=len(reports),
        ended_strategies=len(reports),
        found_count=found_count,
        outcomes=_outcomes(reports),
        started_ns=view.as_of_ns,
        updated_ns=view.as_of_ns,
        finished_ns=view.as_of_ns,
        as_of_ns=view.as_of_ns,
        view_hash=view.content_hash,
        code_version=question.code_version,
        feed=view.feed,
        simulated=view.simulated,
        request=asked.request,
        unmatched=universe.unmatched,
        error=None,
        remaining_s=None,
        universe_count=universe.count,
        tiers=universe.tiers,
    )


def _outcomes(reports: Collection[StrategyReport]) -> dict[Outcome, int]:
    counts: dict[Outcome, int] = {}
    for report in reports:
        if report.outcome is not None:
            counts[report.outcome] = counts.get(report.outcome, 0) + 1
    return counts


def _hashed(prefix: str, *parts: str) -> str:
    return f"{prefix}_{hashlib.blake2b('|'.join(parts).encode(), digest_size=16).hexdigest()}"
