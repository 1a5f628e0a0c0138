"""Rows of scans as tests need them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, GateReading, Leg, Opportunity, Size
from sextant.model.scorecard import Scorecard
from sextant.scans.records import ScanRequest, ScanStatus, Step, StrategyReport
from sextant.scans.store import Answer

BTC = Instrument("bybit", "BTC", "USDT", "perpetual")
ETH = Instrument("bybit", "ETH", "USDT", "perpetual")


def status(scan_id: str = "scan_" + "a" * 32, user_id: str = "user-1", **changes: Any) -> ScanStatus:
    """A scan that was just accepted."""
    accepted = ScanStatus(
        scan_id=scan_id,
        user_id=user_id,
        status="scanning",
        outcome=None,
        phase="started",
        version=1,
        message="Scan accepted: 2 strategies.",
        total_strategies=2,
        ended_strategies=0,
        found_count=0,
        outcomes={},
        started_ns=1_000,
        updated_ns=1_000,
        finished_ns=None,
        as_of_ns=None,
        view_hash=None,
        code_version="test",
        feed="replay",
        simulated=False,
        request=ScanRequest(),
        unmatched=(),
        error=None,
        remaining_s=None,
        universe_count=None,
        tiers=(),
    )
    return msgspec.structs.replace(accepted, **changes)


def answer() -> Answer:
    """An answer stored under the key ``key-12345``."""
    return Answer(
        user_id="user-1", route="route", key="key-12345", body_hash="hash", answer=b"answer", created_ns=1_000
    )


def reports() -> list[StrategyReport]:
    """Two strategies that have not ended."""
    return [StrategyReport(strategy_id=name, name=name.title()) for name in ("first", "second")]


def steps() -> list[Step]:
    """Two planned steps."""
    return [
        Step(
            number=n,
            name=f"Step {n}",
            status="pending",
            time_ns=None,
            execution_ms=None,
            error=None,
            error_type=None,
        )
        for n in (1, 100)
    ]


def gate(name: str, *, passed: bool, distance: float | None = 0.0, value: float | None = 1.0) -> GateReading:
    """What a gate read."""
    return GateReading(name, value, 1.0, passed, distance)


def disposition(unit: str, kind: Any, **facts: Any) -> Disposition:
    """What became of a candidate."""
    return Disposition(unit=unit, instruments=(BTC,), kind=kind, **facts)


def _evidence() -> Scorecard:
    return Scorecard(
        kind="bars",
        status="insufficient_history",
        reason="3 of 30 events",
        source="strategy",
        bucket="1.00..1.15",
        n=3,
        n_eff=3.0,
        clusters_count=2,
    )


def _leg() -> Leg:
    return Leg(
        instrument=BTC,
        side="buy",
        quantity=Decimal("0.01"),
        price=Decimal(60_000),
        order_kind="market",
        reduce_only=False,
        notional_usd=600.0,
        leverage=None,
        margin_usd=None,
        role="entry",
        quote_age_ms=10.0,
    )


def opportunity(**changes: Any) -> Opportunity:
    """A long of 1,000 USD that is not yet proven."""
    row = Opportunity(
        opportunity_key="key-1",
        first_seen_ns=1_000,
        strategy_id="first",
        strategy_name="First",
        opportunity_type="spot_momentum",
        lane="earn",
        legs=(_leg(),),
        direction="long",
        entry=Decimal(60_000),
        stop=Decimal(58_500),
        stop_reason=None,
        targets=(),
        horizon_s=432_000.0,
        expected_s=None,
        gross_bps=None,
        costs=(),
        edge_bps=None,
        edge_usd=None,
        edge_lcb_bps=None,
        es95_usd=None,
        break_even_s=None,
        break_even_hit_frac=0.4,
        capacity_usd=None,
        capacity_curve=(),
        size_min_usd=None,
        expires_ns=2_000,
        half_life_s=None,
        strength=1.2,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="unproven",
        evidence=_evidence(),
        risk_level="medium",
        risk_facts={},
        size=Size(Decimal("0.01"), 600.0, 15.0, "risk", 601.0, True),
        inputs=(),
        gates=(),
        reasons=(),
        warnings=(),
        rank_group=1,
        rank_score=None,
        as_of_ns=1_000,
    )
    return msgspec.structs.replace(row, **changes)
