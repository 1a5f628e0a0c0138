from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sextant.scans import transitions
from sextant.scans.blobs import pack_answers
from sextant.scans.records import Found, ScanError, StrategyReport
from sextant.strategies.answers import each
from sextant.strategies.catalog import strategies
from support import scans as make
from support.api import Api, api_on
from support.database import sent, sqlite

DISCOVER = "/api/v1/opportunities/discover"
STATUS = "/api/v1/opportunities/status"
RESULTS = "/api/v1/opportunities/results"
UNKNOWN = "scan_" + "0" * 32


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True) as api:
        yield api


async def test_a_scan_is_accepted_polled_and_read(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    accepted = await api.client.post(DISCOVER, headers=bearer)
    assert accepted.status_code == 200
    told = accepted.json()
    scan_id, total = told["scan_id"], len(strategies())
    assert told | {"filters": None, "estimated_completion_seconds": None} == {
        "success": True,
        "scan_id": scan_id,
        "status": "initiated",
        "message": f"Scan accepted: {total} strategies.",
        "estimated_completion_seconds": None,
        "poll_url": f"{STATUS}/{scan_id}",
        "results_url": f"{RESULTS}/{scan_id}",
        "events_url": f"/api/v1/scans/{scan_id}/events",
        "polling_interval_seconds": 3,
        "instructions": "Poll poll_url, or read events_url.",
        "filters": None,
        "progress": {"strategies_completed": 0, "total_strategies": total},
    }
    first = await api.client.get(told["poll_url"], headers=bearer)
    assert (first.status_code, first.json()["scan_id"]) == (200, scan_id)
    await api.ended(user, scan_id)
    status = (await api.client.get(told["poll_url"], headers=bearer)).json()
    assert (status["success"], status["status"], status["scan_state"]) == (True, "complete", "complete")
    assert status["progress"]["percentage"] == 100
    assert (status["feed"], status["simulated"]) == ("demo", True)
    assert sum(status["outcomes"].values()) == total
    results = await api.client.get(told["results_url"], headers=bearer)
    assert results.status_code == 200
    body = results.json()
    assert body["total_opportunities"] == len(body["opportunities"]) == status["total_opportunities"] >= 1
    assert set(body["strategy_performance"]) == set(strategies())
    row = body["opportunities"][0]
    assert row["rank"] == 1
    assert "/" in row["symbol"]
    assert 0 <= row["signal_strength"] < 10
    assert (row["confidence_score"] is None) == (row["confidence_reason"] is not None)
    latest = (await api.client.get(f"{RESULTS}/latest", headers=bearer)).json()
    assert latest["scan_id"] == scan_id


async def test_a_running_scan_is_202_and_its_row_answers_from_the_first_moment(api: Api) -> None:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    status = (await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)).json()
    total = len(strategies())
    assert status == {
        "success": True,
        "scan_id": scan_id,
        "status": "scanning",
        "scan_state": "pending",
        "outcome": None,
        "version": 1,
        "phase": "started",
        "message": f"Scan accepted: {total} strategies.",
        "progress": {
            "strategies_completed": 0,
            "total_strategies": total,
            "opportunities_found_so_far": 0,
            "percentage": 0,
        },
        "outcomes": {"ok": 0, "empty": 0, "skipped": 0, "late": 0, "failed": 0},
        "partial_results": [],
        "estimated_time_remaining_seconds": None,
        "started_at": "2026-03-01T12:00:00.000Z",
        "as_of": None,
        "age_s": None,
        "feed": "demo",
        "simulated": True,
    }
    results = await api.client.get(f"{RESULTS}/{scan_id}", headers=bearer)
    assert (results.status_code, results.headers["Retry-After"]) == (202, "3")
    assert (results.json()["user_id"], results.json()["execution_time_ms"]) == (user.user_id, None)


async def test_a_failed_scan_is_a_200_that_says_so_and_keeps_what_it_found(api: Api) -> None:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    status = await api.rows.status(scan_id, user.user_id)
    found = [Found("opp_" + "1" * 32, None, api.clock.now_ns(), make.opportunity(confidence=0.632))]
    report = StrategyReport(strategy_id="ai_spot_momentum_strategy", name="M", outcome="ok", opportunities=1)
    version = await api.rows.change(
        scan_id,
        1,
        api.clock.now_ns(),
        transitions.strategy_ended(status, 0, report, pack_answers(each([])), found),
    )
    status = await api.rows.status(scan_id, user.user_id)
    error = ScanError("budget_exceeded", "budget_exceeded", "60 s have passed.")
    await api.rows.change(
        scan_id, version, api.clock.now_ns(), transitions.failed(status, error, api.clock.now_ns())
    )
    for path in (STATUS, RESULTS):
        answer = await api.client.get(f"{path}/{scan_id}", headers=bearer)
        body = answer.json()
        assert (answer.status_code, body["success"], body["status"]) == (200, False, "failed")
        assert body["outcome"] == "late"
        assert body["error"] == {
            "code": "budget_exceeded",
            "reason": "budget_exceeded",
            "detail": "60 s have passed.",
        }
    assert body["opportunities"][0]["confidence_score"] == pytest.approx(63.2)
    assert body["opportunities"][0]["symbol"] == "BTC/USDT"
    assert body["opportunities"][0]["exchange"] == "bybit"
    assert body["opportunities"][0]["entry_price"] == 60_000


async def test_polling_a_scan_that_did_not_move_is_304(api: Api) -> None:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    first = await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)
    tag = first.headers["ETag"]
    assert tag == f'W/"{scan_id}.1"'
    api.clock.advance(1)
    again = await api.client.get(f"{STATUS}/{scan_id}", headers=bearer | {"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    status = await api.rows.status(scan_id, user.user_id)
    await api.rows.change(
        scan_id, status.version, api.clock.now_ns(), transitions.entered("portfolio_fetch", "On.")
    )
    moved = await api.client.get(f"{STATUS}/{scan_id}", headers=bearer | {"If-None-Match": tag})
    assert (moved.status_code, moved.json()["phase"]) == (200, "portfolio_fetch")


async def test_foreign_unknown_and_misspelled_scans_are_not_told_apart(api: Api) -> None:
    _, mine = await api.onboarded()
    _, other = await api.onboarded("eve@example.org")
    scan_id = await api.discover(mine)
    for path in (STATUS, RESULTS):
        bodies = []
        for name in (scan_id, UNKNOWN, "opp_" + "0" * 32, "nonsense", scan_id.upper()):
            answer = await api.client.get(f"{path}/{name}", headers=other | {"X-Request-ID": "the-same-id"})
            assert answer.status_code == 404
            bodies.append(answer.text.replace(name, "X"))
        assert len(set(bodies)) == 1
        assert (await api.client.get(f"{path}/latest", headers=other)).status_code == 404


async def test_equal_filters_join_others_conflict_and_force_supersedes(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    joined = await api.client.post(DISCOVER, json={}, headers=bearer)
    assert (joined.json()["status"], joined.json()["scan_id"]) == ("scanning", scan_id)
    conflict = await api.client.post(DISCOVER, json={"min_grade": "A"}, headers=bearer)
    assert (conflict.status_code, conflict.json()["reason"]) == (409, "scan_running")
    assert scan_id in conflict.json()["detail"]
    forced = await api.client.post(DISCOVER, json={"force_refresh": True}, headers=bearer)
    assert (forced.json()["status"], forced.json()["scan_id"] != scan_id) == ("initiated", True)
    ended = (await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)).json()
    assert (ended["status"], ended["error"]["reason"]) == ("failed", "superseded")


async def test_one_key_gives_one_scan_however_often_it_is_sent(api: Api) -> None:
    _, bearer = await api.onboarded()
    headers = bearer | {"Idempotency-Key": "key-0123456789"}
    answers = await asyncio.gather(
        *(api.client.post(DISCOVER, json={"symbols": ["C001"]}, headers=headers) for _ in range(6))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["scan_id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    other = await api.client.post(DISCOVER, json={"symbols": ["C002"]}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_mismatch")
    short = await api.client.post(DISCOVER, headers=bearer | {"Idempotency-Key": "short"})
    assert (short.status_code, short.json()["reason"]) == (400, "bad_header")


EFFECTS: list[dict[str, Any]] = [
    {"symbols": ["C001"]},
    {"symbols": "c001/usdt, C002"},
    {"asset_tiers": ["tier_retail"]},
    {"strategy_ids": ["ai_spot_momentum_strategy"]},
    {"opportunity_type": "spot_momentum"},
    {"strategy_types": ["breakout"]},
    {"filter_by_risk_level": "low"},
    {"min_profit_potential": 5},
    {"min_profit_potential": "5.50"},
    {"max_required_capital": 100.5},
    {"preferred_timeframes": ["1h", "4h"]},
    {"min_grade": "B"},
    {"include_strategy_recommendations": False},
]


@pytest.mark.parametrize("body", EFFECTS, ids=str)
async def test_each_filter_reaches_the_scan(api: Api, body: dict[str, Any]) -> None:
    user, bearer = await api.onboarded()
    plain = await api.rows.status(await api.discover(bearer), user.user_id)
    other = await api.discover(bearer, **body, force_refresh=True)
    assert (await api.rows.status(other, user.user_id)).request != plain.request


async def test_filters_are_echoed_trimmed_and_without_repetition(api: Api) -> None:
    _, bearer = await api.onboarded()
    body = {
        "symbols": " c001 ,C001,, c002/usdt, no-such",
        "asset_tiers": ["TIER_ANY"],
        "min_profit_potential": "2.5",
    }
    told = (await api.client.post(DISCOVER, json=body, headers=bearer)).json()["filters"]
    assert told["symbols"] == ["C001", "C002/USDT", "NO-SUCH"]
    assert told["unmatched"] == ["NO-SUCH"]
    assert told["asset_tiers"] == ["tier_any"]
    assert told["min_profit_potential"] == 2.5
    assert told["strategy_ids"] is None


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({"nonsense": 1}, "/nonsense", "unknown_field"),
        ({"user_id": "x"}, "/user_id", "unknown_field"),
        ({"force_refresh": "yes"}, "/force_refresh", "wrong_type"),
        ({"symbols": [f"A{n}" for n in range(201)]}, "/symbols", "out_of_range"),
        ({"symbols": ",".join(f"A{n}" for n in range(201))}, "/symbols", "out_of_range"),
        ({"symbols": [1]}, "/symbols/0", "wrong_type"),
        ({"asset_tiers": ["tier_golden"]}, "/asset_tiers", "not_a_choice"),
        ({"symbols": ["NO-SUCH"]}, "/symbols", "not_a_choice"),
        ({"strategy_ids": ["no_such"]}, "/strategy_ids", "not_a_choice"),
        ({"strategy_ids": []}, "/strategy_ids", "out_of_range"),
        ({"strategy_ids": [f"s{n}" for n in range(33)]}, "/strategy_ids", "out_of_range"),
        ({"opportunity_type": "a", "strategy_types": "b"}, "/strategy_types", "unknown_field"),
        ({"opportunity_type": "no_such"}, "/opportunity_type", "not_a_choice"),
        ({"filter_by_risk_level": "wild"}, "/filter_by_risk_level", "not_a_choice"),
        ({"min_profit_potential": -1}, "/min_profit_potential", "out_of_range"),
        ({"min_profit_potential": "many"}, "/min_profit_potential", "out_of_range"),
        ({"max_required_capital": 0}, "/max_required_capital", "out_of_range"),
        ({"preferred_timeframes": "2h"}, "/preferred_timeframes", "not_a_choice"),
        ({"min_grade": "D"}, "/min_grade", "not_a_choice"),
    ],
    ids=str,
)
async def test_a_filter_out_of_bounds_is_pointed_at(
    api: Api, body: dict[str, Any], pointer: str, reason: str
) -> None:
    _, bearer = await api.onboarded()
    answer = await api.client.post(DISCOVER, json=body, headers=bearer)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["reason"]) == (pointer, reason)


async def test_nothing_granted_and_not_granted_are_told_apart(api: Api) -> None:
    user, bearer = await api.session()
    nothing = await api.client.post(DISCOVER, headers=bearer)
    assert (nothing.status_code, nothing.json()["code"], nothing.json()["reason"]) == (
        409,
        "insufficient",
        "nothing_granted",
    )
    await api.vault.users.grant(user.user_id, ["ai_spot_momentum_strategy"], by="test")
    body = {"strategy_ids": ["ai_spot_mean_reversion"]}
    closed = await api.client.post(DISCOVER, json=body, headers=bearer)
    assert (closed.status_code, closed.json()["reason"]) == (403, "not_entitled")


async def test_onboarding_grants_once_and_tells_the_same_again(api: Api) -> None:
    user, bearer = await api.session()
    path = "/api/v1/opportunities/user-status"
    before = (await api.client.get(path, headers=bearer)).json()
    assert before["onboarding_status"] == {
        "onboarded": False,
        "active_strategies": 0,
        "needs_onboarding": True,
    }
    assert before["last_scan_info"] == {"scan_id": None, "last_scan": None, "time_since_last_scan": None}
    assert before["recommendations"] == {"next_action": "onboard", "estimated_opportunities": None}
    first = (await api.client.post("/api/v1/opportunities/onboard", json={}, headers=bearer)).json()
    api.clock.advance(1)
    body = {"welcome_package": "standard"}
    again = (await api.client.post("/api/v1/opportunities/onboard", json=body, headers=bearer)).json()
    assert {k: v for k, v in again.items() if k != "execution_time_ms"} == {
        k: v for k, v in first.items() if k != "execution_time_ms"
    }
    free = [item.id for item in strategies().values() if item.tier == "free"]
    assert "ai_spot_momentum_strategy" in free
    assert len(free) < len(strategies())
    assert first["results"] == {"free_strategies": free, "strategy_portfolio": free}
    after = (await api.client.get(path, headers=bearer)).json()
    assert after["onboarding_status"]["active_strategies"] == len(free)
    assert after["recommendations"]["next_action"] == "scan"
    scan_id = await api.discover(bearer)
    api.clock.advance(5)
    running = (await api.client.get(path, headers=bearer)).json()
    assert running["last_scan_info"] == {
        "scan_id": scan_id,
        "last_scan": "2026-03-01T12:00:01.000Z",
        "time_since_last_scan": 5.0,
    }
    assert running["recommendations"]["next_action"] == "wait"
    assert user.user_id == running["user_id"]


async def test_onboarding_keeps_what_was_granted_before(api: Api) -> None:
    _, bearer = await api.onboarded()
    told = (await api.client.post("/api/v1/opportunities/onboard", json={}, headers=bearer)).json()
    assert told["results"]["strategy_portfolio"] == list(strategies())


async def test_one_opportunity_is_told_with_what_is_behind_it_to_its_owner_only(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    _, other = await api.onboarded("eve@example.org")
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    rows = (await api.client.get(f"{RESULTS}/{scan_id}", headers=bearer)).json()["opportunities"]
    path = f"/api/v1/opportunities/{rows[0]['opportunity_id']}"
    detail = (await api.client.get(path, headers=bearer)).json()
    assert {name: detail[name] for name in rows[0]} == rows[0]
    assert (detail["scan_id"], detail["seen_before"]) == (scan_id, None)
    known = [line["bps"] for line in detail["waterfall"] if line["bps"] is not None]
    assert known
    if detail["edge_bps"] is not None:
        assert sum(known) == pytest.approx(detail["edge_bps"], abs=0.01)
    assert [leg["instrument"] for leg in detail["legs"]] == rows[0]["instruments"]
    assert all(gate["passed"] for gate in detail["gates"])
    assert (await api.client.get(path, headers=other)).status_code == 404
    assert (await api.client.get("/api/v1/opportunities/nonsense", headers=bearer)).status_code == 404


async def test_thirty_discovers_a_minute_and_twenty_times_as_many_polls(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    answers = [await api.client.post(DISCOVER, headers=bearer) for _ in range(30)]
    assert [answer.status_code for answer in answers] == [200] * 29 + [429]
    assert answers[-1].json()["reason"] == "discover"
    poll = await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)
    assert (poll.status_code, poll.headers["RateLimit-Policy"]) == (200, '"scan.poll";q=600;w=60')


async def test_hot_routes_ask_the_database_little(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    for path, most in ((f"{STATUS}/{scan_id}", 3), ("/api/v1/auth/me", 3), (f"{RESULTS}/{scan_id}", 12)):
        with sent() as statements:
            assert (await api.client.get(path, headers=bearer)).status_code == 200
        selects = [text for text, _ in statements if text.startswith("SELECT")]
        assert len(selects) <= most, selects


async def test_a_poll_of_an_ended_scan_is_told_from_memory_and_ages(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    first = (await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)).json()
    assert first["partial_results"]
    api.clock.advance(10)
    with sent() as statements:
        later = (await api.client.get(f"{STATUS}/{scan_id}", headers=bearer)).json()
    assert statements == []
    for row, before in zip(later["partial_results"], first["partial_results"], strict=True):
        assert row["age_s"] == pytest.approx(before["age_s"] + 10)
        assert {**row, "age_s": 0} == {**before, "age_s": 0}
    assert later["age_s"] == pytest.approx(first["age_s"] + 10)
    assert {**later, "age_s": 0, "partial_results": []} == {**first, "age_s": 0, "partial_results": []}
