"""Routes that hold one scan against another."""

from __future__ import annotations

from collections.abc import Sequence

from sextant.api.cursors import Cursors
from sextant.api.endpoint import Call, Endpoint, NoBody
from sextant.api.scan_schemas import CauseShare, DiffAnswer, DiffQuery, DiffRow
from sextant.api.scan_wire import BASE
from sextant.errors import NotFound
from sextant.kit.ids import is_id
from sextant.scans.diff import RankChange
from sextant.scans.lifecycle import Scans


class ComparisonRoutes:
    """Tells what changed between two scans of the caller.

    Parameters
    ----------
    scans
        Front door of the room.
    cursors
        Signs pages.
    """

    def __init__(self, scans: Scans, cursors: Cursors) -> None:
        self._scans = scans
        self._cursors = cursors

    async def diff(self, call: Call[NoBody, DiffQuery]) -> DiffAnswer:
        """What changed from scan ``a`` to scan ``b``, a page at a time."""
        query = call.query
        for scan_id in (query.a, query.b):
            if not is_id(scan_id, "scan"):
                raise NotFound(f"There is no scan '{scan_id}'.")
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
