"""Answers as the socket words them; the rest of the socket is read through the whole venue in test_deribit.py."""

from __future__ import annotations

import json

from sextant.sim.deribit_rest import refused
from sextant.sim.deribit_socket import envelope, error_body


def test_an_answer_bears_the_number_of_its_call_and_its_times() -> None:
    body = json.loads(envelope(7, ["x"], 1_000))
    assert (body["id"], body["result"], body["jsonrpc"]) == (7, ["x"], "2.0")
    assert body["usOut"] - body["usIn"] == body["usDiff"]


def test_a_refusal_bears_the_venues_code_and_words() -> None:
    body = error_body(9, refused(10_028, "too_many_requests"), 1_000)
    assert body["error"] == {"code": 10_028, "message": "too_many_requests"}
    assert "result" not in body
