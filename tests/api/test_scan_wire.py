from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sextant.api.scan_schemas import DiscoverBody
from sextant.api.scan_wire import (
    asset_discovery,
    candidate,
    execution_ms,
    filters,
    outcomes,
    results,
    scan_request,
    scan_state,
    stamps,
    status_body,
    strategy_coverage,
)
from sextant.errors import InputError
from sextant.scans.records import (
    Found,
    FunnelStage,
    Recommendation,
    ScanError,
    ScanRequest,
    ScanResults,
    StrategyReport,
)
from support import scans as make

NOON_NS = 1_772_366_400_000_000_000  # 2026-03-01T12:00:00Z


def test_lists_may_be_arrays_or_text_and_mean_the_same() -> None:
    array = DiscoverBody(symbols=["btc", " ETH/usdt ", "BTC"], preferred_timeframes=["1h"])
    text = DiscoverBody(symbols="btc,, eth/usdt ,BTC", preferred_timeframes="1H")
    assert scan_request(array) == scan_request(text)
    assert scan_request(array).instruments == ("BTC", "ETH/USDT")


def test_an_instrument_keeps_the_case_of_its_kind() -> None:
    body = DiscoverBody(symbols=["bybit:BTC-USDT:perpetual", "btc"])
    assert scan_request(body).instruments == ("bybit:BTC-USDT:perpetual", "BTC")


def test_each_field_of_a_request_reaches_the_room() -> None:
    body = DiscoverBody(
        asset_tiers=["tier_retail"],
        strategy_ids=["first", "first"],
        strategy_types="breakout",
        filter_by_risk_level="low",
        min_profit_potential=Decimal("2.5"),
        max_required_capital=Decimal(900),
        min_grade="B",
        include_strategy_recommendations=False,
    )
    assert scan_request(body) == ScanRequest(
        asset_tiers=("tier_retail",),
        strategy_ids=("first",),
        opportunity_types=("breakout",),
        risk_level="low",
        min_profit_usd=2.5,
        max_capital_usd=900.0,
        min_grade="B",
        recommendations=False,
    )
    assert scan_request(DiscoverBody()).strategy_ids is None


def test_two_names_of_one_filter_and_unknown_words_are_refused() -> None:
    with pytest.raises(InputError) as both:
        scan_request(DiscoverBody(opportunity_type="breakout", strategy_types="scalping"))
    assert both.value.facts["field"] == "strategy_types"
    with pytest.raises(InputError) as word:
        scan_request(DiscoverBody(asset_tiers=["tier_golden"]))
    assert (word.value.reason, word.value.facts["field"]) == ("not_a_choice", "asset_tiers")


def test_filters_are_echoed_with_what_matched_nothing() -> None:
    told = filters(ScanRequest(instruments=("BTC", "NO"), min_profit_usd=2.5), ("NO",))
    assert (told.symbols, told.unmatched, told.min_profit_potential) == (["BTC", "NO"], ["NO"], 2.5)
    assert told.strategy_ids is None


def test_the_older_word_follows_the_row() -> None:
    assert scan_state(make.status()) == "pending"
    assert scan_state(make.status(ended_strategies=1)) == "partial"
    assert scan_state(make.status(status="complete", ended_strategies=2)) == "complete"
    assert scan_state(make.status(status="failed")) == "failed"


def test_outcomes_name_all_five_also_those_of_none() -> None:
    assert outcomes(make.status(outcomes={"ok": 2})) == {
        "ok": 2,
        "empty": 0,
        "skipped": 0,
        "late": 0,
        "failed": 0,
    }


def test_times_of_a_scan_are_null_until_they_are_known() -> None:
    assert stamps(make.status(), NOON_NS) == {"as_of": None, "age_s": None}
    known = stamps(make.status(as_of_ns=NOON_NS - 50_000_000), NOON_NS)
    assert known == {"as_of": "2026-03-01T11:59:59.950Z", "age_s": 0.05}
    assert execution_ms(make.status()) is None
    assert execution_ms(make.status(started_ns=NOON_NS, finished_ns=NOON_NS + 5_300_000)) == 5.3
    assert execution_ms(make.status(started_ns=NOON_NS, finished_ns=NOON_NS)) is None


def test_a_running_scan_tells_neither_totals_nor_an_error() -> None:
    body = status_body(make.status(started_ns=NOON_NS), [], NOON_NS)
    wire = msgspec.json.decode(msgspec.json.encode(body))
    assert (wire["success"], wire["status"]) == (True, "scanning")
    assert not {"total_opportunities", "results_url", "error"} & set(wire)


def test_a_complete_scan_tells_where_its_results_are() -> None:
    ended = make.status(
        status="complete",
        ended_strategies=2,
        found_count=4,
        finished_ns=2_001_000,
        outcomes={"ok": 1, "late": 1},
    )
    body = status_body(ended, [], NOON_NS)
    assert (body.total_opportunities, body.execution_time_ms) == (4, 2.0)
    assert body.results_url == f"/api/v1/opportunities/results/{ended.scan_id}"
    assert body.complete_coverage is False


def test_a_failed_scan_is_a_failure_with_a_reason() -> None:
    broken = make.status(status="failed", error=ScanError("budget_exceeded", "deadline", "60 s have passed."))
    body = status_body(broken, [], NOON_NS)
    assert body.success is False
    assert msgspec.to_builtins(body.error) == {
        "code": "budget_exceeded",
        "reason": "deadline",
        "detail": "60 s have passed.",
    }


def answer() -> ScanResults:
    rows = (
        make.opportunity(edge_usd=8.0, confidence=0.6),
        make.opportunity(edge_usd=2.0, confidence=0.7),
        make.opportunity(edge_usd=None),
        make.opportunity(lane="protect", edge_usd=50.0),
    )
    return ScanResults(
        status=make.status(
            status="complete",
            ended_strategies=2,
            outcomes={"ok": 1, "late": 1},
            tiers=("tier_institutional", "tier_retail"),
            universe_count=24,
        ),
        strategies=(
            StrategyReport(
                strategy_id="first", name="First", outcome="ok", opportunities=4, execution_ms=3.0
            ),
            StrategyReport(strategy_id="second", name="Second", outcome="skipped", reason="not_entitled"),
        ),
        found=tuple(Found(f"opp_{n:032d}", n, NOON_NS, row) for n, row in enumerate(rows, 1)),
        recommendations=(Recommendation("third", "Third", "It fits."),),
        phase_ms={"portfolio_fetch": 1.0, "strategies_scan": 4.0},
    )


def test_potential_sums_known_profits_of_what_earns_only() -> None:
    table = results(answer(), NOON_NS).strategy_performance
    assert table["first"].total_potential == 10.0  # 8 + 2; unknown and protective rows add nothing
    assert table["first"].avg_confidence == pytest.approx(65.0)
    assert (table["second"].total_potential, table["second"].avg_confidence) == (None, None)
    assert (table["second"].outcome, table["second"].reason) == ("skipped", "not_entitled")


def test_results_tell_phases_counts_and_who_was_entitled() -> None:
    body = results(answer(), NOON_NS)
    assert body.total_opportunities == 4
    assert body.performance_metrics.portfolio_fetch_time_ms == 1.0
    assert body.performance_metrics.asset_discovery_ms is None
    assert (body.performance_metrics.total_timeouts, body.performance_metrics.total_errors) == (1, 0)
    assert body.user_profile.active_strategies == ["first"]
    # The first sixteen digits of sha256("first"), from sha256sum.
    assert body.user_profile.strategy_fingerprint == "a7937b64b8caa58f"
    assert [item.strategy_id for item in body.strategy_recommendations] == ["third"]
    assert body.metadata.remaining_strategies == 0
    assert body.coverage_url.endswith("/coverage")


def test_what_was_looked_at_names_the_largest_tier_first() -> None:
    told = asset_discovery(answer().status)
    assert (told.total_assets_scanned, told.max_tier_accessed) == (24, "tier_institutional")
    assert asset_discovery(make.status()).max_tier_accessed is None


def test_a_near_miss_has_basis_points_only_if_it_was_measured_in_them() -> None:
    report = StrategyReport(
        strategy_id="first",
        name="First",
        candidates=2,
        dispositions={"gate_failed": 2},
        funnel=(FunnelStage("inputs", 2, 2), FunnelStage("edge", 2, 0)),
        near_misses=(
            make.disposition("BTC", "gate_failed", stage="edge", value=4.1, limit=5.0, value_unit="bps"),
            make.disposition("ETH", "gate_failed", stage="volume", value=1.0, limit=2.0, since_ns=NOON_NS),
        ),
    )
    told = strategy_coverage(report)
    assert told.dispositions == {"gate_failed": 2}
    assert msgspec.json.decode(msgspec.json.encode(told))["funnel"] == [
        {"gate": "inputs", "in": 2, "out": 2},
        {"gate": "edge", "in": 2, "out": 0},
    ]
    basis, other = told.near_misses
    assert (basis.value_bps, basis.limit_bps, basis.since) == (4.1, 5.0, None)
    assert (other.value, other.value_bps, other.since) == (1.0, None, "2026-03-01T12:00:00.000Z")


def test_a_candidate_says_what_became_of_it() -> None:
    told = candidate("first", make.disposition("BTC", "opportunity", opportunity_key="key-1"))
    assert (told.strategy_id, told.unit, told.disposition) == ("first", "BTC", "opportunity")
    assert (told.instruments, told.opportunity_key) == (["bybit:BTC-USDT:perpetual"], "key-1")
