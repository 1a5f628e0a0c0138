from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.api.live_stream import PACE_S, LiveRoutes, notice_frame, topics_of
from sextant.confluence.conditions import Condition, Turn
from sextant.confluence.detectors import Fact, Seen
from sextant.errors import InputError, Stale
from sextant.kit.clock import ManualClock
from sextant.kit.sse import RETRY
from sextant.model.instrument import Instrument
from sextant.scans.beside import Sight
from sextant.scans.bulletin import What
from sextant.scans.scoring import Scoring
from support.api import Api, scored, scored_market
from support.people import START_NS

PATH = "/api/v1/stream"
FRAME = re.compile(r"(?:id: (\d+)\n)?event: (\w+)\ndata: (.*)\n\n")


def names() -> list[Instrument]:
    return [spec.instrument for spec in scored().evaluation.instruments]


def turn(word: Any = "opened", until_ns: int | None = None) -> Turn:
    condition = Condition("coverage_low", "", START_NS, until_ns, 2, START_NS, 0.41, 0.6)
    return Turn(word, 1, condition)


def fact() -> Fact:
    seen = Seen("whale_trade", names()[1], "buy", 9e5, opens=True, closes=True, direction=1)
    return Fact(seen, START_NS, None, 1, 9e5)


class Stage:
    """A stream that is read as its frames come, under a clock that is driven."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_NS)
        self.scoring = Scoring(lambda: Sight(scored_market().view), self.clock)
        self.scoring._kept.append(scored())
        self.routes = LiveRoutes(self.scoring, self.clock, asyncio.Event())
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    async def run(self, frames: AsyncIterator[bytes]) -> None:
        async for data in frames:
            if data == RETRY:
                continue
            [(number, event, body)] = FRAME.findall(data.decode())
            self.told.append((number, event, json.loads(body)))

    async def until(self, count: int) -> None:
        for _ in range(2_000):
            if len(self.told) >= count:
                return
            await asyncio.sleep(0)
            self.clock.advance(PACE_S)
        raise AssertionError(self.told)

    async def settle(self) -> None:
        """Until everything that is there was sent."""
        for _ in range(50):
            await asyncio.sleep(0)
            self.clock.advance(PACE_S)

    def add(self, *what: What) -> None:
        self.scoring.bulletin.add(START_NS, [(names()[1], one) for one in what])


async def test_a_snapshot_of_each_topic_comes_first_and_then_what_changes() -> None:
    stage = Stage()
    stage.add(turn())  # before the stream: told to nobody who does not ask for it
    running = asyncio.ensure_future(
        stage.run(stage.routes._frames(stage.scoring, ("confluence", "overview"), frozenset(), 1))
    )
    await stage.until(2)
    assert [(number, event, body["snapshot"]) for number, event, body in stage.told] == [
        ("", "confluence", True),
        ("", "overview", True),
    ]
    rows = stage.told[0][2]["rows"]
    assert {row["instrument"] for row in rows} == {str(name) for name in names()}
    assert all(body["simulated"] and body["feed"] == "demo" for _, _, body in stage.told)
    await stage.settle()
    stage.add(turn("closed", START_NS + 10**9), fact())
    await stage.until(6)
    assert [(number, event) for number, event, _ in stage.told[2:]] == [
        ("", "confluence"),
        ("", "overview"),
        ("2", "condition"),
        ("3", "fact"),
    ]
    assert not stage.told[2][2]["snapshot"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_only_wanted_instruments_are_told_and_a_cut_stream_goes_on() -> None:
    stage = Stage()
    stage.add(turn(), fact())
    stage.scoring.bulletin.add(START_NS, [(names()[2], turn())])
    running = asyncio.ensure_future(
        stage.run(stage.routes._frames(stage.scoring, ("confluence",), frozenset([names()[1]]), 1))
    )
    await stage.until(2)
    await stage.settle()
    assert [row["instrument"] for row in stage.told[0][2]["rows"]] == [str(names()[1])]
    assert [(number, event) for number, event, _ in stage.told[1:]] == [("2", "fact")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def market_fact() -> Fact:
    seen = Seen("market_cascade", None, "longs", 3e6, opens=True, closes=False, direction=-1)
    return Fact(seen, START_NS, None, 1, 3e6)


@pytest.mark.parametrize(("topic", "told"), [("overview", ["2"]), ("confluence", ["1"])])
async def test_what_is_so_of_the_whole_market_is_told_to_who_follows_the_overview(
    topic: str, told: list[str]
) -> None:
    stage = Stage()
    stage.add(fact())
    stage.scoring.bulletin.add(START_NS, [(None, market_fact())])
    running = asyncio.ensure_future(
        stage.run(stage.routes._frames(stage.scoring, (topic,), frozenset([names()[1]]), 0))
    )
    await stage.until(2)
    await stage.settle()
    notices = [(number, body) for number, event, body in stage.told if event == "fact"]
    assert [number for number, _ in notices] == told
    assert notices[0][1]["instrument"] == (None if topic == "overview" else str(names()[1]))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_condition_says_since_when_until_when_and_what_it_does() -> None:
    stage = Stage()
    stage.add(turn("closed", START_NS + 10**9))
    event, data = notice_frame(stage.scoring.bulletin.after(0)[0], scored())
    body = json.loads(data)
    assert event == "condition"
    assert (body["instrument"], body["word"], body["kind"], body["have"], body["need"]) == (
        str(names()[1]),
        "closed",
        "coverage_low",
        0.41,
        0.6,
    )
    assert (body["since"][:19], body["until"][17:19]) == ("2026-03-01T12:00:00", "01")
    assert "shrinks" in body["effect"]


async def test_the_route_answers_with_events_and_ends_with_the_server(api: Api) -> None:
    _, bearer = await api.session()
    api.rooms.closing.set()
    answer = await api.client.get(PATH, params={"topics": "confluence"}, headers=bearer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert answer.text.startswith(RETRY.decode())
    assert answer.text.endswith("event: bye\ndata: {}\n\n")


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"topics": "weather"}, 422, "topics"),
        ({"topics": ""}, 422, None),
        ({}, 422, None),
        ({"topics": "confluence", "instruments": "bybit:NONE-USDT:spot"}, 404, None),
        ({"topics": "confluence", "instruments": ",".join(["BTC"] * 51)}, 422, "instruments"),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    api: Api, asked: dict[str, str], status: int, field: str | None
) -> None:
    _, bearer = await api.session()
    answer = await api.client.get(PATH, params=asked, headers=bearer)
    assert answer.status_code == status, answer.text
    if field is not None:
        assert answer.json()["errors"][0]["pointer"].endswith(field)


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 40])
async def test_an_event_id_that_is_none_is_refused(api: Api, wrong: str) -> None:
    _, bearer = await api.session()
    answer = await api.client.get(
        PATH, params={"topics": "confluence"}, headers=bearer | {"Last-Event-ID": wrong}
    )
    assert answer.status_code == 422


async def test_a_server_without_a_market_says_so() -> None:
    routes = LiveRoutes(None, ManualClock(START_NS), asyncio.Event())
    with pytest.raises(Stale):
        await routes.follow(None)  # type: ignore[arg-type]  # nothing of it is read


def test_topics_are_told_once_each() -> None:
    assert topics_of("overview, confluence,overview") == ("overview", "confluence")
    with pytest.raises(InputError, match="no topic"):
        topics_of("confluence,quotes")
