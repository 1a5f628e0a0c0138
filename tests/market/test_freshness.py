from __future__ import annotations

import pytest

from sextant.market.freshness import Freshness, Pulse


def _pulse(event_ns: int = 100, cadence_ns: int = 10) -> Pulse:
    pulse = Pulse(cadence_ns)
    pulse.beat(event_ns, event_ns + 1)
    return pulse


def test_stream_that_never_came_is_unsupported() -> None:
    assert Pulse(10).judge(1_000) == Freshness("unsupported", reason="nothing ever came")


@pytest.mark.parametrize(
    ("now_ns", "state", "since_ns", "reason"),
    [
        (100, "live", 100, ""),
        (110, "live", 100, ""),
        (111, "late", 110, "silent"),
        (119, "late", 110, "silent"),
        (120, "stale", 120, "silent"),
        (500, "stale", 120, "silent"),
    ],
)
def test_age_is_judged_against_the_cadence(now_ns: int, state: str, since_ns: int, reason: str) -> None:
    judged = _pulse().judge(now_ns)
    assert (judged.state, judged.since_ns, judged.reason) == (state, since_ns, reason)
    assert (judged.event_ns, judged.age_ns) == (100, now_ns - 100)


def test_live_since_the_first_message_after_a_silence() -> None:
    pulse = _pulse()
    pulse.beat(108, 109)
    assert pulse.judge(110).since_ns == 100
    pulse.beat(140, 141)
    assert pulse.judge(141).since_ns == 140


def test_answering_connection_proves_that_silence_is_not_loss() -> None:
    pulse = _pulse()
    pulse.alive(130)
    pulse.alive(120)
    assert pulse.judge(135) == Freshness("live", 100, "", 100, 5)


def test_connection_that_answers_before_any_message_is_alive() -> None:
    pulse = Pulse(10)
    pulse.alive(50)
    assert pulse.judge(55) == Freshness("live", 50, "", None, 5)


def test_feed_that_repeats_one_time_is_stale_after_two_cadences_though_alive() -> None:
    pulse = _pulse()
    for receive_ns in range(102, 125):
        pulse.beat(100, receive_ns)
        pulse.alive(receive_ns)
    judged = pulse.judge(120)
    assert (judged.state, judged.since_ns, judged.reason) == ("stale", 120, "frozen")
    assert pulse.judge(115).reason == "frozen"


def test_two_messages_of_one_instant_are_not_a_frozen_feed() -> None:
    pulse = _pulse()
    pulse.beat(100, 102)
    pulse.alive(130)
    assert pulse.judge(135).state == "live"


def test_lost_connection_is_invalid_until_the_next_message() -> None:
    pulse = _pulse()
    pulse.down("closed 1006", 105)
    pulse.down("closed again", 107)
    assert pulse.judge(106) == Freshness("invalid", 105, "closed 1006", 100, 6)
    pulse.alive(107)
    assert pulse.judge(108).state == "invalid"
    pulse.beat(109, 110)
    assert pulse.judge(110) == Freshness("live", 109, "", 109, 1)


def test_connection_lost_before_any_message_has_no_age() -> None:
    pulse = Pulse(10)
    pulse.down("", 5)
    assert pulse.judge(6) == Freshness("invalid", 5, "down", None, None)
