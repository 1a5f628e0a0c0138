"""The routes of confluence, over the real application."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sextant.api.confluence import ConfluenceRoutes
from sextant.api.cursors import Cursors
from sextant.confluence.decision import LONG, SHORT
from sextant.errors import Stale
from sextant.kit.clock import ManualClock
from sextant.scans.beside import Sight
from sextant.scans.entries import entry_of
from sextant.scans.scoring import Scored, Scoring
from support import lively
from support.api import SCORED_ROWS, Api, scored, scored_market
from support.lively import changed, quoted
from support.people import KEY, START_NS

LIST = "/api/v1/confluence"
NAME = "binance:A3-USDT:perpetual"


async def get(api: Api, path: str, **query: Any) -> Any:
    _, bearer = await api.session()
    answer = await api.client.get(path, params=query, headers=bearer)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(api: Api, path: str, **query: Any) -> tuple[int, Any]:
    _, bearer = await api.session()
    answer = await api.client.get(path, params=query, headers=bearer)
    return answer.status_code, answer.json()


async def test_list_tells_every_instrument_marked_as_simulated(api: Api) -> None:
    body = await get(api, LIST)
    assert (body["feed"], body["simulated"]) == ("demo", True)
    assert len(body["rows"]) == 12
    assert body["next_cursor"] is None
    for row in body["rows"]:
        assert (row["score"] is None) == (row["coverage"] < 0.5)
        assert row["as_of"] == "2026-03-01T12:00:00.000Z"
        assert row["age_s"] == 0.0
        assert row["regime"] in {"unknown", "range", "trend_up", "trend_down", "high_volatility"}


async def test_pages_neither_repeat_nor_skip(api: Api) -> None:
    whole = [row["instrument"] for row in (await get(api, LIST, sort="coverage"))["rows"]]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"sort": "coverage", "limit": 5} | ({} if cursor is None else {"cursor": cursor})
        page = await get(api, LIST, **query)
        seen += [row["instrument"] for row in page["rows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole


async def test_each_filter_and_order_changes_the_answer(api: Api) -> None:
    rows = (await get(api, LIST))["rows"]
    assert (await get(api, LIST, venue="kraken"))["rows"] == []
    assert (await get(api, LIST, kind="spot"))["rows"] == []
    assert (await get(api, LIST, direction="long"))["rows"] == []
    assert (await get(api, LIST, state="stale"))["rows"] == []
    assert (await get(api, LIST, min_coverage=0.9))["rows"] == []
    assert (await get(api, LIST, min_abs_score=0.9))["rows"] == []
    assert len((await get(api, LIST, limit=2))["rows"]) == 2
    assert len((await get(api, LIST, kind="perpetual", venue="binance"))["rows"]) == len(rows)
    covered = [row["coverage"] for row in (await get(api, LIST, sort="coverage"))["rows"]]
    assert covered == sorted(covered, reverse=True)


async def test_one_score_is_taken_apart_down_to_inputs_and_ages(api: Api) -> None:
    body = await get(api, f"{LIST}/{NAME}")
    assert body["instrument"] == NAME
    assert [part["name"] for part in body["dimensions"]] == [
        "orderflow",
        "orderbook",
        "volume",
        "price_structure",
        "technical",
        "sentiment",
    ]
    signals = [sub for part in body["dimensions"] for sub in part["signals"]]
    assert len(signals) == 41
    assert sum(part["contribution"] for part in body["dimensions"]) == pytest.approx(
        0.0 if body["score"] is None else body["score"] - 50
    )
    missing = {item["name"] for item in body["missing"]}
    assert len(missing) == sum(sub["state"] == "absent" for sub in signals)
    for sub in signals:
        assert (sub["signed_score"] is None) == (sub["state"] == "absent") == (sub["reason"] is not None)
        assert sub["score"] != 50 or sub["signed_score"] == 0
    assert {line["stream"] for line in body["quality"]["streams"]} >= {"bars", "quote", "open_interest"}
    assert set(body["levels"]) == {"support", "resistance", "poc", "vah", "val"}
    assert body["thresholds"]["long_score"] >= 70


async def test_short_name_is_enough_where_it_is_the_only_one(api: Api) -> None:
    assert (await get(api, f"{LIST}/A3"))["instrument"] == NAME
    assert (await get(api, f"{LIST}/a3-usdt"))["instrument"] == NAME
    status, problem = await refused(api, f"{LIST}/NOBODY")
    assert (status, problem["code"]) == (404, "not_found")


async def test_past_is_told_at_its_closes_in_steps(api: Api) -> None:
    body = await get(api, f"{LIST}/{NAME}/history", step="1h", limit=200)
    times = [point["time"] for point in body["points"]]
    assert times == [f"2026-03-01T{hour:02}:00:00.000Z" for hour in range(6, 13)]
    minutes_ = await get(api, f"{LIST}/{NAME}/history", step="1m", limit=200)
    assert len(minutes_["points"]) == 200
    assert minutes_["next_cursor"] is not None
    for point in minutes_["points"]:
        assert (point["score"] is None) == (point["coverage"] < 0.5)


async def test_past_pages_cover_the_window_once(api: Api) -> None:
    path = f"{LIST}/{NAME}/history"
    seen: list[str] = []
    query: dict[str, Any] = {
        "step": "1m",
        "limit": 100,
        "start": "2026-03-01T06:30Z",
        "end": "2026-03-01T11:00Z",
    }
    while True:
        page = await get(api, path, **query)
        seen += [point["time"] for point in page["points"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 271
    assert (seen[0], seen[-1]) == ("2026-03-01T06:30:00.000Z", "2026-03-01T11:00:00.000Z")
    assert SCORED_ROWS > 271


async def test_other_times_are_believed_or_refused(api: Api) -> None:
    body = await get(api, LIST, as_of="2026-03-01T12:00Z")
    assert len(body["rows"]) == 12
    assert (await refused(api, LIST, as_of="2026-03-01T13:00Z"))[0] == 422
    status, problem = await refused(api, f"{LIST}/{NAME}", as_of="2026-02-01T12:00Z")
    assert (status, problem["reason"]) == (410, "as_of_too_old")
    assert (await refused(api, f"{LIST}/{NAME}/history", start="2026-03-01T12:00Z", end="2026-03-01T11:00Z"))[
        0
    ] == 422


async def test_cursor_of_another_list_is_refused(api: Api) -> None:
    cursor = (await get(api, LIST, limit=3))["next_cursor"]
    status, problem = await refused(api, LIST, limit=3, sort="age", cursor=cursor)
    assert (status, problem["reason"]) == (422, "bad_cursor")


async def test_server_without_a_market_or_scores_says_so(api: Api) -> None:
    clock = ManualClock(START_NS)
    for scoring in (None, Scoring(lambda: Sight(scored_market().view), clock)):
        routes = ConfluenceRoutes(scoring, Cursors(KEY), clock)
        with pytest.raises(Stale):
            routes._newest()
    api.rooms.scoring._kept.clear()  # type: ignore[union-attr]  # the API of a test has one
    status, problem = await refused(api, LIST)
    assert (status, problem["retry"]) == (503, "after")


async def test_list_goes_on_in_the_evaluation_it_began_with(api: Api) -> None:
    scoring = api.rooms.scoring
    assert scoring is not None
    first = await get(api, LIST, limit=6, sort="coverage")
    newer = Scored(replace(scored().evaluation, as_of_ns=START_NS + 1), "demo", True)
    scoring._kept.append(newer)
    second = await get(api, LIST, limit=6, sort="coverage", cursor=first["next_cursor"])
    names = [row["instrument"] for row in (*first["rows"], *second["rows"])]
    assert len(set(names)) == 12


async def test_last_change_is_told_with_its_plan_or_the_refusal(api: Api) -> None:
    scoring = api.rooms.scoring
    assert scoring is not None
    assert (await get(api, f"{LIST}/{NAME}"))["entry"] is None
    view, found = quoted(), lively.found()
    name = scored().evaluation.instruments[4].instrument
    for state, side in ((LONG, "long"), (SHORT, "short")):
        entry = entry_of(view, found, replace(changed(state), instrument=view.instruments[4].instrument))
        scoring._last[name] = entry
        body = (await get(api, f"{LIST}/{name}"))["entry"]
        assert (body["from"], body["to"]) == ("neutral", side)
        assert body["plan"]["side"] == side
        assert len(body["largest"]) == 5
        assert [line["item"] for line in body["plan"]["waterfall"]][-1] == "net"
    scoring._last[name] = entry_of(lively.market()[0], found, changed(LONG))
    body = (await get(api, f"{LIST}/{name}"))["entry"]
    assert (body["plan"], body["refused"]) == (None, "NO_MARK")
