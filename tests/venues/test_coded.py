"""Answers that carry their own code: what each means, whatever the status says."""

from __future__ import annotations

import msgspec
import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.venues.coded import Codes

CODES = Codes(
    venue="somewhere",
    spoken="Somewhere",
    good="0",
    rate=frozenset(("7",)),
    rate_s=2.5,
    busy=lambda code: code.startswith("5"),
    reasons={"9": "auth"},
)
NUMBERS = msgspec.json.Decoder(list[int])


def test_the_data_of_a_good_answer_is_read() -> None:
    assert CODES.answered(NUMBERS, b'{"code": "0", "data": [1, 2]}', "numbers") == [1, 2]
    assert CODES.refusal(200, b'{"code": "0"}') is None


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("7", Throttled, "rate"),
        ("51", Unreachable, "busy"),
        ("9", Rejected, "auth"),
        ("4", Rejected, "refused"),
    ],
)
def test_other_codes_are_the_errors_they_stand_for(code: str, kind: type[VenueError], reason: str) -> None:
    body = f'{{"code": "{code}", "msg": "{"no " * 200}"}}'.encode()
    told = CODES.refusal(200, body)
    assert told is not None
    assert type(told) is kind
    assert (told.reason, told.facts["venue"]) == (reason, "somewhere")
    assert len(told.message) < 260
    with pytest.raises(kind):
        CODES.answered(NUMBERS, body, "numbers")


def test_silence_is_asked_for_as_long_as_the_venue_counts() -> None:
    told = CODES.refusal(429, b'{"code": "7"}')
    assert isinstance(told, Throttled)
    assert told.retry_after_s == 2.5


def test_what_states_no_code_is_left_to_its_status() -> None:
    assert CODES.refusal(502, b"<html>") is None
    assert CODES.refusal(503, b'{"code": "9"}') is None
    with pytest.raises(WireError, match="Somewhere numbers"):
        CODES.answered(NUMBERS, b'{"code": "0", "data": "x"}', "numbers")
