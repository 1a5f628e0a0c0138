from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sextant.api.opportunity_wire import age_s, opportunity, opportunity_detail, percent, plain
from sextant.model.instrument import Instrument
from sextant.model.opportunity import CapacityPoint, CostLine, InputAge, Leg, Opportunity, Target
from sextant.model.scorecard import Scorecard
from sextant.scans.records import Found
from support import scans as make

NOON_NS = 1_772_366_400_000_000_000  # 2026-03-01T12:00:00Z
KRAKEN = Instrument("kraken", "ETH", "USD", "spot")


def found(**changes: object) -> Found:
    row: Opportunity = make.opportunity(as_of_ns=NOON_NS, **changes)
    return Found("opp_" + "1" * 32, 2, NOON_NS + 250_000_000, row)


def second_leg() -> Leg:
    return msgspec.structs.replace(make.opportunity().legs[0], instrument=KRAKEN, side="sell")


def card(**facts: object) -> Scorecard:
    return msgspec.structs.replace(make.opportunity().evidence, **facts)


def test_a_row_says_when_it_was_true_and_how_old_that_is() -> None:
    row = opportunity(found(), NOON_NS + 2_500_000_000)
    assert (row.as_of, row.age_s) == ("2026-03-01T12:00:00.000Z", 2.5)
    assert row.discovered_at == "2026-03-01T12:00:00.250Z"
    assert (row.rank, row.symbol, row.exchange) == (2, "BTC/USDT", "bybit")
    assert row.instruments == ["bybit:BTC-USDT:perpetual"]


def test_an_age_is_never_negative() -> None:
    assert age_s(NOON_NS + 5, NOON_NS) == 0.0
    assert age_s(NOON_NS, NOON_NS + 1_499_600_000) == 1.5


def test_strength_becomes_a_number_below_ten_that_rises_with_it() -> None:
    # 10 s / (1 + s): 1.2 / 2.2 is 6/11.
    assert opportunity(found(strength=1.2), NOON_NS).signal_strength == pytest.approx(60 / 11)
    assert opportunity(found(strength=0.0), NOON_NS).signal_strength == 0.0
    assert opportunity(found(strength=99.0), NOON_NS).signal_strength == pytest.approx(9.9)


def test_confidence_is_percent_and_its_absence_has_a_reason() -> None:
    known = opportunity(found(confidence=0.632), NOON_NS)
    assert known.confidence_score == pytest.approx(63.2)
    assert known.confidence_reason is None
    unknown = opportunity(found(), NOON_NS)
    assert (unknown.confidence_score, unknown.confidence_reason) == (None, "3 of 30 events")
    unnamed = opportunity(found(evidence=card(reason=None)), NOON_NS)
    assert unnamed.confidence_reason == "insufficient_history"
    assert percent(None) is None


def test_what_protects_has_no_profit_and_what_earns_no_reduction() -> None:
    facts = {"dES_usd": 120.0}
    earns = opportunity(found(edge_usd=8.0, risk_facts=facts), NOON_NS)
    assert (earns.profit_potential_usd, earns.risk_reduction_usd) == (8.0, None)
    protects = opportunity(found(lane="protect", edge_usd=8.0, risk_facts=facts), NOON_NS)
    assert (protects.profit_potential_usd, protects.risk_reduction_usd) == (None, 120.0)


def test_several_venues_and_no_legs_have_words_of_their_own() -> None:
    first = make.opportunity().legs[0]
    both = opportunity(found(legs=(first, second_leg())), NOON_NS)
    assert (both.exchange, both.symbol) == ("multiple", "BTC/USDT")
    whole = opportunity(found(legs=()), NOON_NS)
    assert (whole.symbol, whole.instruments) == ("PORTFOLIO", [])


def test_prices_keep_their_own_digits_and_never_have_an_exponent() -> None:
    row = opportunity(
        found(
            entry=Decimal("1E+5"),
            stop=Decimal("0.00000012"),
            targets=(Target(Decimal("100000.10"), 0.5), Target(Decimal(1), 0.5)),
        ),
        NOON_NS,
    )
    wire = _wire(row)
    assert b'"entry_price":100000,' in wire
    assert b'"stop_price":0.00000012,' in wire
    assert b'"exit_price":100000.10,' in wire
    assert plain(None) is None
    assert plain(Decimal("1.50")) == Decimal("1.50")


def _wire(row: msgspec.Struct) -> bytes:
    return msgspec.json.Encoder(decimal_format="number").encode(row)


def test_the_detail_tells_costs_capacity_inputs_and_gates() -> None:
    row = found(
        costs=(
            CostLine("gross", 31.0, 3.1, "bars", NOON_NS, "trend"),
            CostLine("borrow", None, None, "bybit", None, "no rate"),
        ),
        capacity_curve=(CapacityPoint(1_000.0, 15.9), CapacityPoint(50_000.0, -2.4)),
        inputs=(InputAge("bars", NOON_NS - 1_000_000_000, 1_000.0, 60_000.0),),
        gates=(make.gate("trend", passed=True, value=2.0),),
        warnings=("thin book",),
    )
    detail = opportunity_detail(make.status(), row, (NOON_NS, 3), NOON_NS + 1_000_000_000)
    assert [(line.item, line.bps, line.as_of) for line in detail.waterfall] == [
        ("gross", 31.0, "2026-03-01T12:00:00.000Z"),
        ("borrow", None, None),
    ]
    assert [(point.size_usd, point.edge_bps) for point in detail.capacity] == [
        (1_000.0, 15.9),
        (50_000.0, -2.4),
    ]
    [fact] = detail.evidence
    assert (fact.fact_id, fact.age_s, fact.greatest_age_s) == ("f1", 2.0, 60.0)
    [gate] = detail.gates
    assert (gate.gate, gate.value, gate.limit, gate.passed) == ("trend", 2.0, 1.0, True)
    [leg] = detail.legs
    assert (leg.side, leg.quantity, leg.price) == ("buy", Decimal("0.01"), Decimal(60_000))
    assert detail.seen_before is not None
    assert (detail.seen_before.first_at, detail.seen_before.count) == ("2026-03-01T12:00:00.000Z", 3)
    assert detail.warnings == ["thin book"]
    assert (detail.feed, detail.simulated) == ("replay", False)


def test_what_was_never_seen_before_says_so() -> None:
    assert opportunity_detail(make.status(), found(), None, NOON_NS).seen_before is None


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"status": "scored", "confidence": 0.6}, "calibrated"),
        ({"status": "scored", "confidence": None}, "miscalibrated"),
        ({"status": "insufficient_history"}, "insufficient_history"),
        ({"status": "analytic"}, "analytic"),
        ({"status": "not_applicable"}, "not_applicable"),
    ],
)
def test_the_state_of_calibration_follows_the_card(facts: dict[str, object], state: str) -> None:
    row = found(evidence=card(**facts))
    assert opportunity_detail(make.status(), row, None, NOON_NS).calibration.state == state


def test_an_interval_is_percent_and_needs_both_ends() -> None:
    whole = found(evidence=card(hit_frac=0.632, hit_low_frac=0.565, hit_high_frac=0.694))
    told = opportunity_detail(make.status(), whole, None, NOON_NS).calibration
    assert told.hit_rate_pct == pytest.approx(63.2)
    assert told.interval_pct == pytest.approx([56.5, 69.4])
    half = found(evidence=card(hit_low_frac=0.565))
    assert opportunity_detail(make.status(), half, None, NOON_NS).calibration.interval_pct is None
