"""A stored scan run again from what it saw, and held against what it said then."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from sextant.errors import Expired, InputError, Insufficient
from sextant.kit.clock import Clock
from sextant.model.account import Account
from sextant.model.opportunity import Disposition, Opportunity
from sextant.scans.archive import ViewArchive
from sextant.scans.budget import NOT_ENTITLED, Planned
from sextant.scans.ledger import Ledger
from sextant.scans.records import Inputs, ScanRequest, ScanStatus, StrategyReport
from sextant.scans.run import Asked, MarketPart, run_strategy, skipped_run
from sextant.scans.universe import choose
from sextant.strategies.contract import Strategy

MOST_DIFFERENCES: Final = 50  # api.md 3.1


class Answered(msgspec.Struct, frozen=True):
    """What one strategy of a scan said; the report holds no timing."""

    report: StrategyReport
    opportunities: tuple[Opportunity, ...]
    dispositions: tuple[Disposition, ...]


class Difference(msgspec.Struct, frozen=True):
    """One thing that a scan and its replay say differently; None where one of them says nothing."""

    strategy_id: str
    subject: str
    field: str
    then: str | None
    now: str | None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A scan beside its replay; equal hashes mean equal answers, byte for byte."""

    scan_id: str
    input_hash: str
    view_hash: str
    config_hash: str
    code_version_then: str
    code_version_now: str
    stored_hash: str
    replayed_hash: str
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """Whether both said the same."""
        return self.stored_hash == self.replayed_hash


def run_again(
    part: MarketPart, planned: Sequence[Planned], account: Account, request: ScanRequest
) -> tuple[Answered, ...]:
    """What the strategies of a scan say about a part now, in planned order."""
    asked = Asked(part, choose(part.view, request, part.turnover_usd), account, request)
    runs = (
        run_strategy(item.strategy, asked)
        if item.skip is None
        else skipped_run(item.strategy, item.skip, NOT_ENTITLED, asked)
        for item in planned
    )
    return tuple(Answered(run.report, run.opportunities, tuple(run.dispositions)) for run in runs)


def stored_answers(
    reports: Sequence[tuple[StrategyReport, tuple[Disposition, ...]]], found: Sequence[Opportunity]
) -> tuple[Answered, ...]:
    """What the strategies of a stored scan said, in planned order."""
    return tuple(
        Answered(
            msgspec.structs.replace(report, execution_ms=None),
            tuple(row for row in found if row.strategy_id == report.strategy_id),
            dispositions,
        )
        for report, dispositions in reports
    )


def answers_hash(answers: Sequence[Answered]) -> str:
    """32 hex digits of everything that was said; the order of what one strategy found does not count."""
    ordered = [
        msgspec.structs.replace(
            item, opportunities=tuple(sorted(item.opportunities, key=lambda row: row.opportunity_key))
        )
        for item in answers
    ]
    return _hash(ordered)


def hash_of(*facts: Any) -> str:
    """32 hex digits of any values that MessagePack knows."""
    return _hash(facts)


def _hash(value: Any) -> str:
    return hashlib.blake2b(msgspec.msgpack.encode(value), digest_size=16).hexdigest()


def differences(then: Sequence[Answered], now: Sequence[Answered]) -> Iterator[Difference]:
    """Everything that two runs say differently, strategy by strategy, in the order of the first."""
    later = {item.report.strategy_id: item for item in now}
    for item in then:
        other = later.get(item.report.strategy_id)
        name = item.report.strategy_id
        if other is None:
            yield Difference(name, "strategy", "present", "yes", "no")
            continue
        yield from _fields(name, "strategy", item.report, other.report)
        rows = _by(item.opportunities, "opportunity_key"), _by(other.opportunities, "opportunity_key")
        yield from _pairs(name, *rows)
        yield from _pairs(name, _by(item.dispositions, "unit"), _by(other.dispositions, "unit"))


def _by(items: Sequence[msgspec.Struct], name: str) -> dict[str, msgspec.Struct]:
    return {getattr(item, name): item for item in items}


def _pairs(strategy_id: str, then: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    for subject in sorted({*then, *now}):
        was, is_now = then.get(subject), now.get(subject)
        if was is None or is_now is None:
            yield Difference(
                strategy_id, subject, "present", _word(was is not None), _word(is_now is not None)
            )
        else:
            yield from _fields(strategy_id, subject, was, is_now)


def _word(present: bool) -> str:
    return "yes" if present else "no"


def _fields(strategy_id: str, subject: str, was: Any, is_now: Any) -> Iterator[Difference]:
    for field in was.__struct_fields__:
        then, now = getattr(was, field), getattr(is_now, field)
        if msgspec.msgpack.encode(then) != msgspec.msgpack.encode(now):
            yield Difference(strategy_id, subject, field, _shown(then), _shown(now))


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return (
        text if len(text) <= 200 else f"{text[:197]}..."
    )  # a difference names the place; the scan holds the rest


class Replayer:
    """Runs stored scans again on this machine.

    Parameters
    ----------
    ledger
        The books of scans.
    archive
        What scans saw.
    catalogue
        The strategies there are now.
    clock
        Measures how long it took.
    code_version
        The build that runs them again.
    """

    def __init__(
        self,
        ledger: Ledger,
        archive: ViewArchive,
        catalogue: Mapping[str, Strategy],
        clock: Clock,
        code_version: str,
    ) -> None:
        self._ledger = ledger
        self._archive = archive
        self._catalogue = catalogue
        self._clock = clock
        self._code_version = code_version

    async def replay(self, user_id: str, scan_id: str) -> Replay:
        """A scan of a user beside its replay.

        Raises
        ------
        NotFound
            If there is no such scan of this user.
        Insufficient
            If it has not ended, or ended before it took a view.
        Expired
            If what it saw is not kept on this machine, or no longer.
        """
        begun_ns = self._clock.monotonic_ns()
        status = await self._ledger.rows.status(scan_id, user_id)
        if status.status == "scanning":
            raise Insufficient(f"Scan {scan_id} has not ended yet.", reason="in_progress")
        inputs = await self._ledger.details.inputs(scan_id)
        if status.view_hash is None or inputs is None:
            raise Insufficient(f"Scan {scan_id} ended before it took a view.", reason="view_unavailable")
        stored = stored_answers(
            await self._ledger.details.coverage(scan_id),
            [item.opportunity for item in await self._ledger.details.found(scan_id)],
        )
        part, again = await asyncio.to_thread(self._again, status, inputs)
        tables = {name: table.content_hash.hex() for name, table in part.tables.items()}
        return Replay(
            scan_id=scan_id,
            input_hash=hash_of(status.view_hash, tables, status.request, inputs),
            view_hash=status.view_hash,
            config_hash=hash_of(part.assumptions, status.request, inputs),
            code_version_then=status.code_version,
            code_version_now=self._code_version,
            stored_hash=answers_hash(stored),
            replayed_hash=answers_hash(again),
            differences=tuple(itertools.islice(differences(stored, again), MOST_DIFFERENCES)),
            seconds=(self._clock.monotonic_ns() - begun_ns) / 1e9,
        )

    def _again(self, status: ScanStatus, inputs: Inputs) -> tuple[MarketPart, tuple[Answered, ...]]:
        try:
            part = self._archive.load(status.view_hash or "")
        except InputError as error:
            raise Expired(error.message, reason="retention") from error
        planned = [
            Planned(self._catalogue[name], skip) for name, skip in inputs.planned if name in self._catalogue
        ]
        return part, run_again(part, planned, inputs.account, status.request)
