"""One place of an answer changes, the rest stays."""

from __future__ import annotations

from typing import Any

import pytest

from sextant.errors import InputError
from sextant.sim.drift import drifted

BODY = {"result": {"list": [{"price": "1", "size": "2"}, {"price": "3"}]}, "time": 5}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"field": "time"}, {"result": BODY["result"]}),
        ({"field": "time", "value": None}, {**BODY, "time": None}),
        ({"field": "time", "renamed": "now"}, {"result": BODY["result"], "now": 5}),
        ({"field": "result.list", "value": {}}, {**BODY, "result": {"list": {}}}),
        ({"field": "result.list.0"}, {**BODY, "result": {"list": [{"price": "3"}]}}),
    ],
)
def test_a_place_is_removed_replaced_or_renamed(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert drifted(BODY, options) == expected
    assert BODY["time"] == 5


@pytest.mark.parametrize("field", ["", "nowhere", "result.list.7.price", "time.x"])
def test_an_unknown_place_is_refused(field: str) -> None:
    with pytest.raises(InputError, match="no place"):
        drifted(BODY, {"field": field})
