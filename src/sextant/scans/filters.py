"""Filters of a request, applied after evaluation, so that the value they refused is known."""

from __future__ import annotations

from typing import Final

from sextant.model.opportunity import Disposition, Opportunity
from sextant.scans.records import RISK_LEVELS, ScanRequest, Timeframe

_GRADE_ORDER: Final = {"A": 3, "B": 2, "analytic": 2, "C": 1, "unproven": 0}  # strategies.md 1.5
_FRAME_ENDS_S: Final[tuple[tuple[Timeframe, float], ...]] = (
    ("1h", 3_600.0),
    ("4h", 14_400.0),
    ("24h", 86_400.0),
)

Refusal = tuple[str, float | None, float | None, str]
"""Filter, value, limit, unit of both."""


def timeframe_of(horizon_s: float) -> Timeframe:
    """The band of a horizon: up to 1 h, up to 4 h, up to 24 h, or longer.

    Examples
    --------
    >>> timeframe_of(3600.0), timeframe_of(3601.0), timeframe_of(432000.0)
    ('1h', '4h', '7d')
    """
    return next((frame for frame, end_s in _FRAME_ENDS_S if horizon_s <= end_s), "7d")


def refusal(request: ScanRequest, row: Opportunity) -> Refusal | None:
    """The first filter that keeps an opportunity from the caller, or None."""
    level = RISK_LEVELS.index(row.risk_level)
    checks: tuple[tuple[bool, Refusal], ...] = (
        (
            bool(request.opportunity_types) and row.opportunity_type not in request.opportunity_types,
            ("opportunity_type", None, None, row.opportunity_type),
        ),
        (
            request.risk_level is not None and level > RISK_LEVELS.index(request.risk_level),
            ("filter_by_risk_level", float(level), _level_limit(request), "level"),
        ),
        (
            bool(request.timeframes) and timeframe_of(row.horizon_s) not in request.timeframes,
            ("preferred_timeframes", row.horizon_s, None, "s"),
        ),
        (
            _GRADE_ORDER[row.grade] < _GRADE_ORDER[request.min_grade],
            ("min_grade", float(_GRADE_ORDER[row.grade]), float(_GRADE_ORDER[request.min_grade]), "grade"),
        ),
        (
            request.min_profit_usd is not None
            and row.lane == "earn"
            and (row.edge_usd is None or row.edge_usd < request.min_profit_usd),
            ("min_profit_potential", row.edge_usd, request.min_profit_usd, "USD"),
        ),
        (
            request.max_capital_usd is not None and row.size.required_capital_usd > request.max_capital_usd,
            ("max_required_capital", row.size.required_capital_usd, request.max_capital_usd, "USD"),
        ),
    )
    return next((reading for refused, reading in checks if refused), None)


def filtered(row: Opportunity, reading: Refusal, unit: str) -> Disposition:
    """The disposition of an opportunity that a filter kept from the caller."""
    stage, value, limit, value_unit = reading
    return Disposition(
        unit=unit,
        instruments=tuple(leg.instrument for leg in row.legs),
        kind="filtered_by_user",
        stage=stage,
        value=value,
        limit=limit,
        value_unit=value_unit,
        failed_count=0,
        flips_if=f"the filter {stage} lets it through",
        opportunity_key=row.opportunity_key,
        gates=row.gates,
    )


def _level_limit(request: ScanRequest) -> float | None:
    return None if request.risk_level is None else float(RISK_LEVELS.index(request.risk_level))
