"""What becomes of a push on its way."""

from __future__ import annotations

import pytest

from sextant.sim.faults import Fault
from sextant.sim.push_faults import PushFaults

KEY = ("session", "topic")


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("gap", [["a"], [], ["c"]]),
        ("duplicate", [["a"], ["b", "b"], ["c"]]),
        ("swap", [["a"], [], ["c", "b"]]),
        ("frozen", [["a"], ["a"], ["c"]]),
        ("drift", [["a"], ["b"], ["c"]]),
    ],
)
def test_a_push_is_lost_repeated_held_back_or_said_again(kind: str, sent: list[list[str]]) -> None:
    spoilt = PushFaults()
    fault = Fault(kind, 0)
    told = [spoilt.sent(KEY, text, [fault] if text == "b" else []) for text in "abc"]
    assert told == sent


def test_a_push_is_held_back_behind_as_many_as_the_script_says() -> None:
    spoilt = PushFaults()
    fault = Fault("swap", 0, options={"messages": 2})
    told = [spoilt.sent(KEY, text, [fault] if text == "b" else []) for text in "abcd"]
    assert told == [["a"], [], ["c"], ["d", "b"]]


def test_what_was_held_back_is_forgotten_with_whoever_followed() -> None:
    spoilt = PushFaults()
    spoilt.sent(KEY, "a", [Fault("swap", 0)])
    spoilt.forget(KEY)
    assert spoilt.sent(KEY, "b", []) == ["b"]
