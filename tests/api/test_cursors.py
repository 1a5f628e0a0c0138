from __future__ import annotations

import pytest

from sextant.api.cursors import Cursors
from sextant.errors import InputError
from sextant.vault.signing import key_of
from support.people import KEY


def test_a_cursor_names_its_place_to_whom_it_was_made_for() -> None:
    cursors = Cursors(KEY)
    text = cursors.make((1_000, "scan_1"), "ada", "scans", None)
    assert cursors.read(text, "ada", "scans", None) == (1_000, "scan_1")
    for bound in (("bob", "scans", None), ("ada", "other", None), ("ada", "scans", "failed")):
        with pytest.raises(InputError) as refused:
            cursors.read(text, *bound)
        assert refused.value.reason == "bad_cursor"
    with pytest.raises(InputError):
        Cursors(key_of("another-key-with-enough-bytes-in-it")).read(text, "ada", "scans", None)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: "A" + t[1:], lambda _: "", lambda _: "é", lambda t: t + "AA"]
)
def test_a_changed_cursor_is_refused(change: object) -> None:
    cursors = Cursors(KEY)
    text = change(cursors.make((1,), "ada"))  # type: ignore[operator]  # one of the lambdas above
    with pytest.raises(InputError):
        cursors.read(text, "ada")
