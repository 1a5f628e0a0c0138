"""Opportunities from the room's words to the wire's."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

import msgspec

from sextant.api.opportunity_schemas import (
    Calibration,
    CapacityBody,
    EvidenceFact,
    GateBody,
    LegBody,
    OpportunityBody,
    OpportunityDetail,
    SeenBefore,
    WaterfallLine,
)
from sextant.model.opportunity import Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import iso_ms
from sextant.scans.filters import timeframe_of
from sextant.scans.records import Found, ScanStatus

SEVERAL: Final = "multiple"
WHOLE: Final = "PORTFOLIO"


def opportunity(found: Found, now_ns: int) -> OpportunityBody:
    """A row of results."""
    return OpportunityBody(**_row(found, now_ns))


def opportunity_detail(
    status: ScanStatus, found: Found, before: tuple[int, int] | None, now_ns: int
) -> OpportunityDetail:
    """One opportunity with everything behind it."""
    row = found.opportunity
    return OpportunityDetail(
        **_row(found, now_ns),
        scan_id=status.scan_id,
        break_even_s=row.break_even_s,
        waterfall=[
            WaterfallLine(
                item=line.item,
                bps=line.bps,
                basis=line.basis,
                source=line.source,
                as_of=None if line.as_of_ns is None else iso_ms(line.as_of_ns),
            )
            for line in row.costs
        ],
        capacity=[CapacityBody(point.size_usd, point.edge_bps) for point in row.capacity_curve],
        calibration=_calibration(row.evidence),
        evidence=[
            EvidenceFact(
                fact_id=f"f{number}",
                name=item.name,
                as_of=iso_ms(item.as_of_ns),
                age_s=age_s(item.as_of_ns, now_ns),
                greatest_age_s=item.greatest_age_ms / 1_000,
            )
            for number, item in enumerate(row.inputs, 1)
        ],
        gates=[
            GateBody(gate=item.gate, value=item.value, limit=item.threshold, passed=item.passed)
            for item in row.gates
        ],
        legs=_legs(row),
        warnings=list(row.warnings),
        seen_before=None if before is None else SeenBefore(iso_ms(before[0]), before[1]),
        feed=status.feed,
        simulated=status.simulated,
    )


def age_s(as_of_ns: int, now_ns: int) -> float:
    """Seconds from a source's time to now."""
    return round(max(0, now_ns - as_of_ns) / 1e9, 3)


def plain(number: Decimal | None) -> Any:
    """The number with its own digits and no exponent, as the encoder shall write it."""
    if number is None or "E" not in str(number):
        return number
    return msgspec.Raw(f"{number:f}".encode())


def percent(fraction: float | None) -> float | None:
    """A fraction in percent."""
    return None if fraction is None else 100 * fraction


def _row(found: Found, now_ns: int) -> dict[str, Any]:
    row = found.opportunity
    card = row.evidence
    protective = row.lane == "protect"
    return {
        "opportunity_id": found.opportunity_id,
        "opportunity_key": row.opportunity_key,
        "rank": found.rank,
        "lane": row.lane,
        "grade": row.grade,
        "signal_strength": 10 * row.strength / (1 + row.strength),
        "strategy_id": row.strategy_id,
        "strategy_name": row.strategy_name,
        "opportunity_type": row.opportunity_type,
        "symbol": _symbol(row),
        "exchange": _exchange(row),
        "instruments": [str(leg.instrument) for leg in row.legs],
        "direction": row.direction,
        "profit_potential_usd": None if protective else row.edge_usd,
        "edge_bps": row.edge_bps,
        "confidence_score": percent(row.confidence),
        "confidence_n": card.n,
        "confidence_reason": None if row.confidence is not None else card.reason or card.status,
        "risk_level": row.risk_level,
        "size_usd": row.size.notional_usd,
        "required_capital_usd": row.size.required_capital_usd,
        "capacity_usd": row.capacity_usd,
        "estimated_timeframe": timeframe_of(row.horizon_s),
        "horizon_s": row.horizon_s,
        "entry_price": plain(row.entry),
        "exit_price": plain(row.targets[0].price) if row.targets else None,
        "stop_price": plain(row.stop),
        "risk_reduction_usd": row.risk_facts.get("dES_usd") if protective else None,
        "half_life_s": row.half_life_s,
        "rank_reasons": list(row.reasons),
        "metadata": _metadata(row),
        "discovered_at": iso_ms(found.discovered_ns),
        "as_of": iso_ms(row.as_of_ns),
        "age_s": age_s(row.as_of_ns, now_ns),
    }


def _costs_bps(row: Opportunity) -> float | None:
    """Sum of the cost lines, negative; None where there are none or one is unknown."""
    costs = [line.bps for line in row.costs if line.item != "gross"]
    known = [bps for bps in costs if bps is not None]
    return math.fsum(known) if costs and len(known) == len(costs) else None


def _metadata(row: Opportunity) -> dict[str, Any]:
    return {
        "first_seen": iso_ms(row.first_seen_ns),
        "expires_at": iso_ms(row.expires_ns),
        "costs_bps": _costs_bps(row),
        "size_binding": row.size.binding,
        "size_illustrative": row.size.illustrative,
        "break_even_hit_frac": row.break_even_hit_frac,
        "risk_facts": row.risk_facts,
        "warnings": list(row.warnings),
        "level_unit": row.level_unit,
        "transfer": None if row.transfer is None else msgspec.to_builtins(row.transfer),
    }


def _symbol(row: Opportunity) -> str:
    if not row.legs:
        return WHOLE
    first = row.legs[0].instrument
    return f"{first.base}/{first.quote}"


def _exchange(row: Opportunity) -> str:
    venues = {leg.instrument.venue for leg in row.legs}
    return venues.pop() if len(venues) == 1 else SEVERAL


def _legs(row: Opportunity) -> list[LegBody]:
    return [
        LegBody(
            instrument=str(leg.instrument),
            kind=leg.instrument.kind,
            side=leg.side,
            quantity=plain(leg.quantity),
            price=plain(leg.price),
            order_kind=leg.order_kind,
            notional_usd=leg.notional_usd,
            role=leg.role,
        )
        for leg in row.legs
    ]


def _calibration(card: Scorecard) -> Calibration:
    interval = (
        None
        if card.hit_low_frac is None or card.hit_high_frac is None
        else [100 * card.hit_low_frac, 100 * card.hit_high_frac]
    )
    state: Any = {"scored": "calibrated" if card.confidence is not None else "miscalibrated"}.get(
        card.status, card.status
    )
    return Calibration(
        state=state,
        n=card.n,
        hit_rate_pct=percent(card.hit_frac),
        interval_pct=interval,
        mean_net_bps=card.expectancy_bps,
        brier=card.brier,
        bucket=card.bucket,
        reason=card.reason,
    )
