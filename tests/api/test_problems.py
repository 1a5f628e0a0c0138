from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from sextant import errors
from sextant.api.problems import TITLES, Refused, invalid_field, problem_of, retry_after_s, status_of

# api.md 1.4, written by hand: class, status, advice.
MAP: list[tuple[errors.SextantError, int, str]] = [
    (errors.InputError("x"), 422, "change"),
    (errors.Unauthenticated("x"), 401, "login"),
    (errors.Denied("x"), 403, "no"),
    (errors.NotFound("x"), 404, "no"),
    (errors.Expired("x"), 410, "no"),
    (errors.Conflict("x"), 409, "change"),
    (errors.Insufficient("x"), 409, "after"),
    (errors.ConfigError("x"), 503, "no"),
    (errors.RateLimited("x", retry_after_s=7), 429, "after"),
    (errors.BudgetExceeded("x"), 503, "after"),
    (errors.Stale("x"), 503, "after"),
    (errors.SequenceGap("x"), 503, "after"),
    (errors.Unreachable("x"), 502, "after"),
    (errors.Throttled("x", retry_after_s=30), 503, "after"),
    (errors.Rejected("x"), 422, "change"),
    (errors.NonceRefused("x"), 409, "change"),
    (errors.WireError("x"), 502, "no"),
    (errors.SextantError("x"), 500, "no"),
    (Refused("malformed", "x"), 400, "change"),
    (Refused("method_not_allowed", "x"), 405, "change"),
    (Refused("too_large", "x"), 413, "change"),
    (Refused("unsupported_media_type", "x"), 415, "change"),
    (Refused("internal", "x"), 500, "no"),
]


@pytest.mark.parametrize(("error", "status", "retry"), MAP, ids=lambda item: type(item).__name__)
def test_every_error_has_its_status_and_advice(error: errors.SextantError, status: int, retry: str) -> None:
    problem = problem_of(error, "/path", "req-1")
    assert (status_of(error), problem.status, problem.retry) == (status, status, retry)
    assert problem.type == f"urn:sextant:problem:{problem.code}"
    assert (problem.retry_after_s is None) == (retry != "after")


def test_the_whole_error_tree_is_mapped() -> None:
    def below(kind: type[errors.SextantError]) -> set[type[errors.SextantError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    codes = {kind.code for kind in below(errors.SextantError)}
    assert codes <= set(TITLES)
    assert set(TITLES) - codes == {"malformed", "method_not_allowed", "too_large", "unsupported_media_type"}


def test_stale_data_is_asked_for_again_within_two_seconds() -> None:
    assert retry_after_s(errors.Stale("x")) == 1.0
    assert retry_after_s(errors.Throttled("x", retry_after_s=30)) == 30


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    number: Annotated[int, msgspec.Meta(ge=1, le=5)]
    word: Literal["a", "b"] = "a"
    rows: list[dict[str, int]] = []


@pytest.mark.parametrize(
    ("given", "pointer", "reason", "limit"),
    [
        ({"number": 0}, "/number", "out_of_range", ">= 1"),
        ({"number": 6}, "/number", "out_of_range", "<= 5"),
        ({"number": "secret"}, "/number", "wrong_type", "int"),
        ({"number": 1, "word": "secret"}, "/word", "not_a_choice", None),
        ({"number": 1, "secret-ish": 1}, "/secret-ish", "unknown_field", None),
        ({"number": 1, "a/b~c": 1}, "/a~1b~0c", "unknown_field", None),
        ({}, "/number", "missing_field", None),
        ({"number": 1, "rows": [{}, {"x": "secret"}]}, "/rows/1", "wrong_type", "int"),
    ],
)
def test_a_decoders_complaint_points_at_the_field_and_repeats_no_value(
    given: dict[str, Any], pointer: str, reason: str, limit: str | None
) -> None:
    with pytest.raises(msgspec.ValidationError) as complaint:
        msgspec.convert(given, Shape)
    problem = problem_of(invalid_field(complaint.value), "/path", "req-1")
    [error] = problem.errors
    assert (error.pointer, error.reason, error.limit) == (pointer, reason, limit)
    assert "secret" not in problem.detail.replace("secret-ish", "")
