"""Why the ranks of two scans differ: every change attributed to what the two rows themselves show.

A scan is a pure function of its view, request, account and code. Where two scans share one of these it is
ruled out as a cause; what remains is weighed by the lines of the two cost waterfalls, or, for an idea that only
one scan found, by what the other scan says about the same candidate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from sextant.model.opportunity import CostLine, Disposition, DispositionKind, Opportunity
from sextant.scans.records import Coverage, Found, ScanStatus

Cause = Literal["price", "book", "funding", "config", "code", "portfolio", "entitlement", "missing_data"]
Kind = Literal["appeared", "gone", "moved", "resized"]

SAME_BPS: Final = 0.01  # api.md 3.2: edges are told to a hundredth of a basis point
SAME_USD: Final = 0.005  # half a cent

_MARKET: Final = frozenset[Cause](("price", "book", "funding", "missing_data"))
_LINE_CAUSE: Final[Mapping[str, Cause]] = {
    "gross": "price",
    "fee_entry": "config",
    "fee_exit": "config",
    "spread": "book",
    "slippage": "book",
    "funding": "funding",
    "borrow": "funding",
    "transfer": "config",
    "delivery": "config",
}
_KIND_CAUSE: Final[Mapping[DispositionKind, Cause]] = {
    "insufficient_data": "missing_data",
    "late": "missing_data",
    "failed": "missing_data",
    "not_entitled": "entitlement",
    "filtered_by_user": "config",
    "below_min_notional": "portfolio",
    "gate_failed": "price",
    "negative_net_edge": "price",
}
_BOOK_GATES: Final = frozenset(("spread_bps", "depth_usd", "quote_ran", "room_to_stop", "room_to_target"))


class Share(msgspec.Struct, frozen=True):
    """A cause and the share of the change it explains, in [0, 1]; None where it cannot be told from the rest."""

    cause: Cause
    share_frac: float | None


class RankChange(msgspec.Struct, frozen=True, kw_only=True):
    """One idea that two scans rank or size differently; edges in basis points, None when unproven or absent."""

    opportunity_key: str
    strategy_id: str
    units: tuple[str, ...]
    change: Kind
    rank_a: int | None
    rank_b: int | None
    edge_a_bps: float | None
    edge_b_bps: float | None
    causes: tuple[Share, ...]


class ScanDiff(msgspec.Struct, frozen=True):
    """What changed from scan ``a`` to scan ``b``, by the rank in ``b``, then in ``a``."""

    a: str
    b: str
    changes: tuple[RankChange, ...]
    unchanged_count: int


class Side(msgspec.Struct, frozen=True):
    """One ended scan: what it found and what it says about every candidate."""

    found: tuple[Found, ...]
    coverage: Coverage

    @property
    def status(self) -> ScanStatus:
        """The scan itself."""
        return self.coverage.status

    def by_key(self) -> dict[tuple[str, str], Found]:
        """What was found, by strategy and key."""
        return {(item.opportunity.strategy_id, item.opportunity.opportunity_key): item for item in self.found}

    def said_of(self, row: Opportunity) -> Disposition | None:
        """What this scan says about the candidate that the other one found; None where it did not look at it."""
        legs = frozenset(leg.instrument for leg in row.legs)
        mine = (item for strategy_id, item in self.coverage.candidates if strategy_id == row.strategy_id)
        return next((item for item in mine if legs.issubset(item.instruments)), None)


def diff(a: Side, b: Side) -> ScanDiff:
    """What changed from ``a`` to ``b`` and why."""
    before, after = a.by_key(), b.by_key()
    newest = before | after
    pairs = [_Pair(newest[key].opportunity, before.get(key), after.get(key)) for key in sorted(newest)]
    changed = [pair for pair in pairs if pair.kind is not None]
    weighed = [_weights(pair, a, b) for pair in changed]
    # A rank that moved although its own row did not was moved by the others.
    others: dict[Cause, float] = defaultdict(float)
    for weights in weighed:
        for cause, weight in weights.items():
            others[cause] += weight
    possible = _possible(a.status, b.status)
    rows = [
        pair.told(_shares(weights or others, possible))
        for pair, weights in zip(changed, weighed, strict=True)
    ]
    rows.sort(key=lambda row: (row.rank_b is None, row.rank_b or 0, row.rank_a or 0))
    return ScanDiff(a.status.scan_id, b.status.scan_id, tuple(rows), len(pairs) - len(changed))


class _Pair(NamedTuple):
    """One idea in two scans; ``row`` is its newest form."""

    row: Opportunity
    old: Found | None
    new: Found | None

    @property
    def kind(self) -> Kind | None:
        """How it changed; None where it stands as it stood."""
        old, new = self.old, self.new
        if old is None:
            return "appeared"
        if new is None:
            return "gone"
        if old.rank != new.rank:
            return "moved"
        was, now = old.opportunity, new.opportunity
        if abs(was.size.notional_usd - now.size.notional_usd) > SAME_USD:
            return "resized"
        return None if _same(was.edge_bps, now.edge_bps) else "moved"

    def told(self, causes: tuple[Share, ...]) -> RankChange:
        """The change with its causes."""
        old, new, row = self.old, self.new, self.row
        return RankChange(
            opportunity_key=row.opportunity_key,
            strategy_id=row.strategy_id,
            units=tuple(str(leg.instrument) for leg in row.legs),
            change=self.kind or "moved",
            rank_a=None if old is None else old.rank,
            rank_b=None if new is None else new.rank,
            edge_a_bps=None if old is None else old.opportunity.edge_bps,
            edge_b_bps=None if new is None else new.opportunity.edge_bps,
            causes=causes,
        )


def _same(was: float | None, now: float | None) -> bool:
    return was is now or (was is not None and now is not None and abs(was - now) <= SAME_BPS)


def _weights(pair: _Pair, a: Side, b: Side) -> dict[Cause, float]:
    """How many basis points of the change each cause carries by the rows' own account."""
    if pair.old is None:
        return _of_absence(pair.row, a)
    if pair.new is None:
        return _of_absence(pair.row, b)
    return _of_lines(pair.old.opportunity, pair.new.opportunity)


def _of_lines(was: Opportunity, now: Opportunity) -> dict[Cause, float]:
    weights: dict[Cause, float] = defaultdict(float)
    for line, other in _lines(was, now):
        if line is None or line.bps is None or other is None or other.bps is None:
            if (line and line.bps) != (other and other.bps):
                weights["missing_data"] += abs((line and line.bps) or (other and other.bps) or 0.0)
            continue
        weights[_cause_of(line, now)] += abs(other.bps - line.bps)
    known = {cause: weight for cause, weight in weights.items() if weight > SAME_BPS}
    if not known and abs(was.size.notional_usd - now.size.notional_usd) > SAME_USD:
        return {"portfolio": 1.0}  # the same edge at another size: other means
    return known


def _lines(was: Opportunity, now: Opportunity) -> list[tuple[CostLine | None, CostLine | None]]:
    left = {line.item: line for line in was.costs}
    right = {line.item: line for line in now.costs}
    return [(left.get(item), right.get(item)) for item in sorted({*left, *right})]


def _cause_of(line: CostLine, row: Opportunity) -> Cause:
    if line.item == "gross" and row.evidence.kind == "funding":
        return "funding"
    return _LINE_CAUSE[line.item]


def _of_absence(row: Opportunity, other: Side) -> dict[Cause, float]:
    """Why the other scan did not find a row, by what it says about the same candidate."""
    said = other.said_of(row)
    if said is None:
        planned = {report.strategy_id for report in other.coverage.strategies}
        return {"config" if row.strategy_id not in planned else "missing_data": 1.0}
    if said.kind == "gate_failed" and said.stage in _BOOK_GATES:
        return {"book": 1.0}
    if said.kind in ("gate_failed", "negative_net_edge") and row.evidence.kind == "funding":
        return {"funding": 1.0}
    if said.kind == "negative_net_edge" and said.gross_bps is not None and said.cost_bps is not None:
        gross = sum(line.bps or 0.0 for line in row.costs if line.item == "gross")
        costs = -sum(line.bps or 0.0 for line in row.costs if line.item != "gross")
        weights: dict[Cause, float] = {
            "price": abs(gross - said.gross_bps),
            "book": abs(costs - abs(said.cost_bps)),
        }
        return {cause: weight for cause, weight in weights.items() if weight > SAME_BPS} or {"price": 1.0}
    if said.kind == "opportunity":
        return {"price": 1.0}  # the same candidate leads to another idea now: another direction or trigger
    return {_KIND_CAUSE[said.kind]: 1.0}


def _possible(a: ScanStatus, b: ScanStatus) -> frozenset[Cause]:
    """The causes that two scans leave open, by what they were made from."""
    open_causes: set[Cause] = {"portfolio", "entitlement", "config"}
    if a.view_hash is None or a.view_hash != b.view_hash:
        open_causes |= _MARKET
    if a.code_version != b.code_version:
        open_causes.add("code")
    return frozenset(open_causes)


def _shares(weights: Mapping[Cause, float], possible: Collection[Cause]) -> tuple[Share, ...]:
    """Shares that sum to 1, greatest first; another build cannot be told apart from another market."""
    kept = {cause: weight for cause, weight in weights.items() if cause in possible}
    total = sum(kept.values())
    if not total:
        # The same market, request and build: only the account is left. Else another build explains it.
        return (Share("code" if "code" in possible else "portfolio", 1.0),)
    shares = [
        Share(cause, weight / total) for cause, weight in sorted(kept.items(), key=lambda item: -item[1])
    ]
    return (*shares, Share("code", None)) if "code" in possible else tuple(shares)
