"""Budgets, order, refusals at once, bans, breaker and states, on a clock that only moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.kit.breaker import BreakerRules
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import Answer
from sextant.kit.silences import Silences
from sextant.venues.broker import Broker, Budget, Call, Learnt, Limit, Policy, Priority, VenueState
from sextant.venues.catalog import venues

NOW_NS = 1_786_310_817_000_000_000


def weigh(path: str) -> Mapping[str, float]:
    return {"weight": float(path.partition("/")[2] or 1)} if not path.startswith("key") else {"counter": 1.0}


def policy(**more: object) -> Policy:
    limits = (
        Limit("weight", "address", 10, 60, share=1.0),
        Limit("counter", "key", 4, 4, draining=True, share=1.0),
    )
    return Policy("venue", limits, weigh, **more)  # type: ignore[arg-type]  # by name


class Stage:
    """A broker and a venue that answers as told."""

    def __init__(self, folder: Path, rules: Policy | None = None) -> None:
        self.clock = ManualClock(NOW_NS)
        self.path = folder / "silences.json"
        self.rules = rules or policy()
        self.broker = self.made()
        self.asked: list[str] = []
        self.error: VenueError | None = None
        self.headers: dict[str, str] = {}

    def made(self) -> Broker:
        """A broker as another process, or this one after a restart, makes it."""
        return Broker(self.rules, self.clock, Silences(self.path, self.clock))

    def work(self, name: str) -> Callable[[], Awaitable[Answer]]:
        async def ask() -> Answer:
            self.asked.append(name)
            if self.error is not None:
                raise self.error
            return Answer(b"{}", self.clock.now_ns(), self.headers)

        return ask

    def begin(
        self,
        name: str,
        weight: float = 1,
        priority: Priority = "account",
        seconds: float = 300.0,
        **holders: str,
    ) -> asyncio.Task[Answer]:
        path = f"key/{name}" if "key" in holders else f"p/{weight}"
        call = Call(path, priority, holders)  # type: ignore[arg-type]  # scopes by name
        return asyncio.ensure_future(self.broker.run(call, Deadline(self.clock, seconds), self.work(name)))

    async def ask(self, name: str = "x", **more: object) -> Answer:
        return await self.begin(name, **more)  # type: ignore[arg-type]  # by name

    async def pass_s(self, seconds: float) -> None:
        """Let time pass, a second at most at once, and whoever woke up run."""
        while seconds > 0:
            step = min(1.0, seconds)
            self.clock.advance(step)
            seconds -= step
            await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_calls_pass_while_there_is_room_and_then_wait_for_the_window(stage: Stage) -> None:
    for _ in range(10):
        await stage.ask()
    waiting = stage.begin("late")
    await stage.settle()
    assert (len(stage.asked), stage.broker.state()) == (10, VenueState("limited", "budget", None, 1))
    await stage.pass_s(59)
    assert not waiting.done()
    await stage.pass_s(1)
    assert waiting.done()
    assert stage.asked[-1] == "late"
    assert stage.broker.state() == VenueState("healthy")


async def test_what_cannot_be_served_before_its_deadline_is_refused_at_once(stage: Stage) -> None:
    await stage.ask(weight=10)
    await stage.pass_s(10)
    with pytest.raises(Throttled) as raised:
        await stage.ask(seconds=49.0)
    assert (raised.value.reason, raised.value.retry_after_s) == ("budget", 50.0)
    with pytest.raises(Throttled):
        await stage.ask(weight=11)  # never fits
    served = stage.begin("in time", seconds=51.0)
    await stage.pass_s(50)
    assert served.done()
    assert stage.asked == ["x", "in time"]


async def test_the_wait_of_those_before_counts(stage: Stage) -> None:
    await stage.ask(weight=10)
    first, second = stage.begin("first", 6), stage.begin("second", 6, seconds=130)
    await stage.settle()
    with pytest.raises(Throttled) as raised:
        await stage.ask("third", weight=5, seconds=119.0)  # behind 6 at 60 s and 6 at 120 s
    assert raised.value.retry_after_s == 180.0
    await stage.pass_s(60)
    assert (first.done(), second.done()) == (True, False)
    await stage.pass_s(60)
    assert second.done()


async def test_the_more_important_pass_first_and_equals_in_their_order(stage: Stage) -> None:
    await stage.ask(weight=10)
    order: list[tuple[str, Priority]] = [
        ("f1", "backfill"), ("s1", "scan"), ("b1", "book"), ("a1", "account"), ("a2", "account"), ("s2", "scan"),
    ]  # fmt: skip
    tasks = [stage.begin(name, priority=priority) for name, priority in order]
    await stage.pass_s(60)
    assert all(task.done() for task in tasks)
    assert stage.asked[1:] == ["a1", "a2", "b1", "s1", "s2", "f1"]


async def test_the_less_important_leave_room(stage: Stage) -> None:
    for _ in range(6):
        await stage.ask(priority="backfill")
    with pytest.raises(Throttled):
        await stage.ask(priority="backfill", seconds=10)
    for priority in ("scan", "scan", "book", "account"):
        await stage.ask(priority=priority)
    for priority in ("scan", "book", "account"):
        with pytest.raises(Throttled):
            await stage.ask(priority=priority, seconds=10)


async def test_one_that_becomes_hopeless_is_refused_before_its_deadline(stage: Stage) -> None:
    await stage.ask(weight=10)
    scan = stage.begin("scan", 5, "scan", seconds=100)
    await stage.settle()
    assert not scan.done()
    account = stage.begin("account", 8, "account")
    await stage.settle()
    with pytest.raises(Throttled):  # at 120 s now
        await scan
    await stage.pass_s(60)
    assert account.done()


async def test_a_cancelled_call_leaves_its_place(stage: Stage) -> None:
    await stage.ask(weight=10)
    first, second = stage.begin("first", 10), stage.begin("second", 1, seconds=200)
    await stage.settle()
    first.cancel()
    await stage.pass_s(60)
    assert second.done()
    assert stage.asked == ["x", "second"]


async def test_budgets_are_of_each_holder(stage: Stage) -> None:
    for _ in range(4):
        await stage.ask("a", key="one")
    late = stage.begin("late", key="one")
    await stage.ask("b", key="other")
    assert not late.done()
    await stage.pass_s(1)  # the counter has fallen by one
    assert late.done()


async def test_what_headers_say_is_believed(tmp_path: Path) -> None:
    def read(_: str, headers: Mapping[str, str]) -> list[Learnt]:
        return [
            Learnt(name, **{kind: float(value)})
            for header, value in headers.items()
            for name, _, kind in [header.partition(".")]
        ]

    stage = Stage(tmp_path, policy(read=read))
    stage.headers = {"weight.used": "9", "nobody.used": "5"}
    await stage.ask()
    await stage.ask()
    with pytest.raises(Throttled):
        await stage.ask(seconds=10)
    await stage.pass_s(60)
    stage.headers = {"weight.most": "2"}
    await stage.ask()
    await stage.ask()
    with pytest.raises(Throttled):
        await stage.ask(seconds=10)
    await stage.pass_s(60)
    stage.headers = {"weight.silent_s": "7"}
    await stage.ask()
    with pytest.raises(Throttled) as raised:
        await stage.ask()
    assert (raised.value.reason, raised.value.retry_after_s) == ("silence", 7.0)


async def test_a_refusal_whose_headers_ask_for_longer_silence_gets_it(tmp_path: Path) -> None:
    def read(_: str, headers: Mapping[str, str]) -> list[Learnt]:
        return [Learnt("weight", silent_s=float(headers["reset"]))] if "reset" in headers else []

    stage = Stage(tmp_path, policy(read=read))
    refused = stage.error = Throttled("429000", retry_after_s=5, reason="rate")
    refused.told = {"reset": "28"}
    with pytest.raises(Throttled):
        await stage.ask()
    await stage.pass_s(27)
    with pytest.raises(Throttled) as raised:
        await stage.ask()
    assert (raised.value.reason, raised.value.retry_after_s) == ("silence", 1.0)


async def test_a_ban_holds_for_every_process_and_over_a_restart(stage: Stage) -> None:
    other = stage.made()
    stage.error = Throttled("418", retry_after_s=120, reason="http_418")
    with pytest.raises(Throttled):
        await stage.ask()
    stage.error = None
    for broker in (stage.broker, other, stage.made()):
        stage.broker = broker
        with pytest.raises(Throttled) as raised:
            await stage.ask()
        assert raised.value.reason == "silence"
        assert broker.state() == VenueState("limited", "418", 120.0)
    assert stage.asked == ["x"]
    await stage.pass_s(120)
    await stage.ask()
    assert stage.broker.state().status == "healthy"


async def test_those_who_wait_when_a_ban_comes_are_refused_without_asking(stage: Stage) -> None:
    await stage.ask(weight=10)
    waiting = stage.begin("waiting")
    await stage.settle()
    Silences(stage.path, stage.clock).ask("venue|", 600, "banned")
    await stage.pass_s(60)
    with pytest.raises(Throttled, match="banned"):
        await waiting
    assert stage.asked == ["x"]


async def test_a_rate_of_a_key_is_not_of_the_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, policy(blames=lambda _: "key"))
    stage.error = Throttled("rate", retry_after_s=5, reason="rate")
    with pytest.raises(Throttled):
        await stage.ask(key="one")
    stage.error = None
    with pytest.raises(Throttled):
        await stage.ask(key="one")
    await stage.ask("other", key="two")
    await stage.ask("public")
    assert stage.asked == ["x", "other", "public"]


async def test_a_venue_that_keeps_failing_is_left_alone_and_tried_by_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path, policy(breaker=BreakerRules(failures=3, open_s=30)))
    stage.error = Unreachable("no answer", reason="timeout")
    for _ in range(3):
        with pytest.raises(Unreachable):
            await stage.ask()
    assert stage.broker.state() == VenueState("failing", "timeout", 30.0)
    with pytest.raises(Unreachable) as raised:
        await stage.ask()
    assert (raised.value.reason, raised.value.facts["retry_after_s"], len(stage.asked)) == (
        "failing",
        30.0,
        3,
    )
    await stage.pass_s(30)
    with pytest.raises(Unreachable, match="no answer"):
        await stage.ask()
    assert stage.broker.state() == VenueState("failing", "timeout", 30.0)
    await stage.pass_s(30)
    stage.error = None
    await stage.ask()
    assert stage.broker.state() == VenueState("healthy")


async def test_while_one_tries_the_others_are_refused_and_a_cancelled_trial_lets_another(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, policy(breaker=BreakerRules(failures=1, open_s=30)))
    stage.error = WireError("page", reason="bad_body", field="")
    with pytest.raises(WireError):
        await stage.ask()
    await stage.pass_s(30)
    never = asyncio.Event()

    async def hang() -> Answer:
        await never.wait()
        raise AssertionError

    trial = asyncio.ensure_future(stage.broker.run(Call("p/1", "book"), Deadline(stage.clock, 10), hang))
    await stage.settle()
    with pytest.raises(Unreachable, match="keeps failing"):
        await stage.ask()
    trial.cancel()
    await stage.settle()
    stage.error = None
    await stage.ask("after")
    assert stage.asked[-1] == "after"


async def test_a_name_that_cannot_be_resolved_opens_at_once_and_a_refusal_never(stage: Stage) -> None:
    stage.error = Rejected("no", reason="unknown_symbol")
    for _ in range(9):
        with pytest.raises(Rejected):
            await stage.ask()
    assert stage.broker.state().status == "healthy"
    await stage.pass_s(60)
    stage.error = Unreachable("dns", reason="dns")
    with pytest.raises(Unreachable):
        await stage.ask()
    assert stage.broker.state() == VenueState("failing", "dns", 30.0)


async def test_a_dead_key_is_paused_after_two_refusals_and_the_others_go_on(stage: Stage) -> None:
    stage.error = Rejected("key", reason="auth")
    for _ in range(2):
        with pytest.raises(Rejected):
            await stage.ask("dead", key="dead")
    for _ in range(500):
        with pytest.raises(Rejected) as raised:
            await stage.ask("dead", key="dead")
        assert raised.value.reason == "needs_key"
    assert stage.asked == ["dead"] * 2
    assert (stage.broker.paused("dead"), stage.broker.paused("good")) == (True, False)
    stage.error = None
    await stage.ask("good", key="good")
    stage.broker.renew("dead")
    await stage.ask("dead", key="dead")
    assert stage.asked[-2:] == ["good", "dead"]


async def test_a_venue_that_wants_a_key_says_so_until_it_answers(stage: Stage) -> None:
    stage.error = Rejected("missing key", reason="auth")
    with pytest.raises(Rejected):
        await stage.ask()
    assert stage.broker.state() == VenueState("needs_key", "missing key")
    stage.error = None
    await stage.ask()
    assert stage.broker.state() == VenueState("healthy")


async def test_a_retired_venue_is_never_asked(tmp_path: Path) -> None:
    stage = Stage(tmp_path, policy(retired="version 2 went away"))
    with pytest.raises(Rejected) as raised:
        await stage.ask()
    assert (raised.value.reason, stage.asked) == ("retired", [])
    assert stage.broker.state() == VenueState("retired", "version 2 went away")


async def test_a_storm_stays_within_the_budget_in_every_window(stage: Stage) -> None:
    made: list[int] = []

    async def ask() -> Answer:
        made.append(stage.clock.monotonic_ns())
        return Answer(b"{}", 0, {})

    tasks = [
        asyncio.ensure_future(stage.broker.run(Call("p/1", "scan"), Deadline(stage.clock, 900), ask))
        for _ in range(100)
    ]
    await stage.pass_s(900)
    assert all(task.done() for task in tasks)
    served = [task for task in tasks if task.exception() is None]
    assert len(served) == len(made) == 100
    for begun in made:
        assert sum(begun <= at < begun + 60 * 10**9 for at in made) <= 8  # eight of ten are for scans


@pytest.mark.parametrize("name", sorted(name for name, venue in venues().items() if venue.variations.policy))
def test_every_question_of_a_venue_has_a_place_in_its_budgets(name: str) -> None:
    venue = venues()[name]
    rules = venue.variations.policy
    assert rules is not None
    assert rules.venue == name
    limits = {limit.name: limit for limit in rules.limits}
    paths = {venue.instruments_request(category, None).path for category in venue.sockets}
    paths |= {venue.quotes_request(category).path for category in venue.sockets}
    if venue.variations.door is not None:
        paths.add(venue.variations.door.request.path)
    for path in (*paths, "/anything/else"):
        weights = rules.weigh(path)
        assert weights
        for budget, weight in weights.items():
            limit = limits[budget]
            assert 0 < weight <= limit.most * limit.share * 0.6  # a back-fill may ask it
    assert rules.read("/x", {"x-mbx-used-weight-1m": "x", "gw-ratelimit-limit": "-1"}) == ()


async def test_the_allowance_is_the_fullest_budget_and_the_breaker(stage: Stage) -> None:
    empty = stage.broker.allowance()
    assert empty.circuit == "closed"
    assert empty.budget is not None
    assert (empty.budget.used, empty.budget.room_s) == (0.0, 0.0)
    await stage.ask(weight=9)
    assert stage.broker.allowance().budget == Budget(9.0, 10.0, 60.0, 0.0)
    await stage.pass_s(20)
    await stage.ask(weight=1)
    assert stage.broker.allowance().budget == Budget(10.0, 10.0, 60.0, 40.0)
    await stage.pass_s(40)
    assert stage.broker.allowance().budget == Budget(1.0, 10.0, 60.0, 0.0)
    for _ in range(3):
        await stage.ask(key="ada")
    # Three of four, of which a second gives one back: 0.75 is more than 0.1.
    assert stage.broker.allowance().budget == Budget(3.0, 4.0, 4.0, 0.0)
    stage.error = Unreachable("nobody is there", reason="dns")
    with pytest.raises(Unreachable):
        await stage.ask()
    assert stage.broker.allowance().circuit == "open"
