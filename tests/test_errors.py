from __future__ import annotations

import pytest

from sextant import errors


def _all_errors() -> list[type[errors.SextantError]]:
    found = [errors.SextantError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def test_the_drawing_at_the_top_shows_every_class() -> None:
    drawing = errors.__doc__ or ""
    assert [kind.__name__ for kind in _all_errors() if kind.__name__ not in drawing] == []


@pytest.mark.parametrize("kind", _all_errors())
def test_every_class_says_what_to_do(kind: type[errors.SextantError]) -> None:
    assert kind.code
    assert kind.retry in ("no", "after", "change", "login")
    assert kind.__doc__


def test_an_error_keeps_its_reason_and_facts() -> None:
    error = errors.InputError("limit is 500; at most 200.", reason="out_of_range", limit=200)
    assert (str(error), error.reason, error.facts) == (
        "limit is 500; at most 200.",
        "out_of_range",
        {"limit": 200},
    )


def test_throttled_says_when_to_come_back() -> None:
    assert errors.Throttled("Limited.", retry_after_s=30.0).retry_after_s == 30.0
