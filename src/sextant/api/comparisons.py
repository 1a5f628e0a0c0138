"""Routes that hold one scan against another."""

from __future__ import annotations

from collections.abc import Sequence

from sextant.api.cursors import Cursors
from sextant.api.endpoint import Call, Endpoint, NoBody, NoQuery
from sextant.api.scan_schemas import (
    CauseShare,
    DiffAnswer,
    DiffQuery,
    DiffRow,
    ReplayAnswer,
    ReplayDifference,
)
from sextant.api.scan_wire import BASE
from sextant.api.scans import checked_scan_id, scan_id_of
from sextant.scans.diff import RankChange
from sextant.scans.lifecycle import Scans
from sextant.scans.replaying import Replay, Replayer


class ComparisonRoutes:
    """Tells what changed between two scans of the caller, and between a scan and its replay.

    Parameters
    ----------
    scans, replayer
        Front doors of the room.
    cursors
        Signs pages.
    """

    def __init__(self, scans: Scans, replayer: Replayer, cursors: Cursors) -> None:
        self._scans = scans
        self._replayer = replayer
        self._cursors = cursors

    async def replay(self, call: Call[NoBody, NoQuery]) -> ReplayAnswer:
        """The scan run again from what it saw, held against what it said."""
        return _replay_body(await self._replayer.replay(call.user_id, scan_id_of(call)))

    async def diff(self, call: Call[NoBody, DiffQuery]) -> DiffAnswer:
        """What changed from scan ``a`` to scan ``b``, a page at a time."""
        query = call.query
        for scan_id in (query.a, query.b):
            checked_scan_id(scan_id)
        bound = (call.user_id, "diff", query.a, query.b)
        start = 0 if query.cursor is None else int(self._cursors.read(query.cursor, *bound)[0])
        found = await self._scans.diff(call.user_id, query.a, query.b)
        end = start + query.limit
        return DiffAnswer(
            a=found.a,
            b=found.b,
            changes=[_row(change) for change in found.changes[start:end]],
            unchanged_count=found.unchanged_count,
            next_cursor=self._cursors.make((end,), *bound) if end < len(found.changes) else None,
        )

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 3.1 about two scans."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/scans/diff",
                name="scans_diff",
                summary="What changed between two scans, and why",
                access=("scan:read",),
                handler=self.diff,
                query=DiffQuery,
                answer=DiffAnswer,
                errors=(409, 410),
                proof=("A09",),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/scans/{{scan_id}}/replay",
                name="scans_replay",
                summary="Run a scan again from what it saw",
                access=("scan:read",),
                handler=self.replay,
                answer=ReplayAnswer,
                errors=(409, 410),
                proof=("A09",),
            ),
        )


def _replay_body(told: Replay) -> ReplayAnswer:
    return ReplayAnswer(
        scan_id=told.scan_id,
        input_hash=told.input_hash,
        view_hash=told.view_hash,
        config_hash=told.config_hash,
        code_version_then=told.code_version_then,
        code_version_now=told.code_version_now,
        stored_hash=told.stored_hash,
        replayed_hash=told.replayed_hash,
        identical=told.identical,
        differences=[
            ReplayDifference(item.strategy_id, item.subject, item.field, item.then, item.now)
            for item in told.differences
        ],
        seconds=told.seconds,
    )


def _row(change: RankChange) -> DiffRow:
    return DiffRow(
        opportunity_key=change.opportunity_key,
        strategy_id=change.strategy_id,
        instruments=list(change.units),
        change=change.change,
        rank_a=change.rank_a,
        rank_b=change.rank_b,
        edge_a_bps=change.edge_a_bps,
        edge_b_bps=change.edge_b_bps,
        causes=[CauseShare(share.cause, share.share_frac) for share in change.causes],
    )
