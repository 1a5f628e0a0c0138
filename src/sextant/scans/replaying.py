"""A stored scan run again from what it saw, and held against what it said then."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from sextant.model.account import Account
from sextant.model.opportunity import Disposition, Opportunity
from sextant.scans.budget import NOT_ENTITLED, Planned
from sextant.scans.records import ScanRequest, StrategyReport
from sextant.scans.run import Asked, MarketPart, run_strategy, skipped_run
from sextant.scans.universe import choose

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
    return tuple(Answered(run.report, run.opportunities, run.dispositions) for run in runs)


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
