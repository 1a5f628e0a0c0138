"""A page of the candidates of a scan, read out of what is stored without unpacking the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, DispositionKind
from sextant.scans.blobs import unpack_answers
from sextant.scans.records import ScanStatus, StrategyReport
from sextant.strategies.answers import Answers

Stored = tuple[StrategyReport, bytes | None]
"""How a strategy ended and its packed answers, None while it has not."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which candidates are asked for; None asks for any.

    Parameters
    ----------
    instrument
        A unit or one of its instruments as they are written, in upper case or lower.
    """

    strategy_id: str | None = None
    instrument: str | None = None
    kind: DispositionKind | None = None

    def among(self, report: StrategyReport) -> int:
        """How many candidates of a strategy may be wanted at most; exact unless an instrument is named."""
        if self.strategy_id not in (None, report.strategy_id):
            return 0
        return report.candidates if self.kind is None else report.dispositions.get(self.kind, 0)

    def places(self, answers: Answers) -> Sequence[int]:
        """Which candidates of a strategy that may be wanted are."""
        places: Sequence[int] = range(len(answers))
        if self.kind is not None:
            kinds = answers.kinds()
            places = [place for place in places if kinds[place] == self.kind]
        if self.instrument is not None:
            name, known = self.instrument.upper(), list(answers.subjects())
            places = [place for place in places if name in _names(*known[place])]
        return places


class CoveragePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the candidates of a scan, each with its strategy's id, and whether more follow."""

    status: ScanStatus
    strategies: tuple[StrategyReport, ...]
    candidates: tuple[tuple[str, Disposition], ...]
    further: bool


async def page_of(
    rows: Sequence[Stored], wanted: Wanted, start: int, limit: int
) -> tuple[tuple[tuple[str, Disposition], ...], bool]:
    """The wanted candidates from ``start`` on, at most ``limit``, and whether more follow.

    Notes
    -----
    The reports say how many candidates each strategy has of each kind, so strategies that lie wholly before or behind
    the page are not unpacked. Only a named instrument has to be looked for among all, which a thread does.
    """
    if wanted.instrument is None:
        return _page(rows, wanted, start, limit)
    return await asyncio.to_thread(_page, rows, wanted, start, limit)


def _page(
    rows: Sequence[Stored], wanted: Wanted, start: int, limit: int
) -> tuple[tuple[tuple[str, Disposition], ...], bool]:
    page: list[tuple[str, Disposition]] = []
    for report, blob in rows:
        most = wanted.among(report) if blob is not None else 0
        if most == 0:
            continue
        if len(page) > limit or (len(page) == limit and wanted.instrument is None):
            return tuple(page[:limit]), True
        if wanted.instrument is None and start >= most:
            start -= most
            continue
        found = _of_strategy(blob or b"", wanted, start, start + limit + 1 - len(page))
        start = max(0, start - found.passed)
        page += [(report.strategy_id, item) for item in found.items]
    return tuple(page[:limit]), len(page) > limit


class _Found(msgspec.Struct):
    passed: int
    items: list[Disposition]


def _of_strategy(blob: bytes, wanted: Wanted, start: int, stop: int) -> _Found:
    """The wanted candidates of a strategy from ``start`` up to ``stop``, and how many there are."""
    answers = unpack_answers(blob)
    places = wanted.places(answers)
    return _Found(len(places), [answers[place] for place in places[start:stop]])


def _names(unit: str, instruments: Sequence[Instrument]) -> set[str]:
    return {unit.upper(), *(str(one).upper() for one in instruments)}
