"""Answers whose schema has drifted: a field gone, renamed, or of another value."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sextant.errors import InputError


def drifted(body: Any, options: Mapping[str, Any]) -> Any:
    """A copy of the body with one place changed.

    Parameters
    ----------
    body
        Decoded JSON.
    options
        ``field`` is the place, names and row numbers joined by dots; ``renamed`` its name from now on, or ``value`` what it
        holds instead; with neither the place is gone.

    Raises
    ------
    InputError
        If the body has no such place.

    Examples
    --------
    >>> drifted({"list": [{"price": "1"}]}, {"field": "list.0.price", "value": None})
    {'list': [{'price': None}]}
    >>> drifted({"u": 5}, {"field": "u", "renamed": "updateId"})
    {'updateId': 5}
    >>> drifted({"u": 5}, {"field": "u"})
    {}
    """
    found = copy.deepcopy(body)
    *way, last = str(options.get("field", "")).split(".")
    try:
        inner = found
        for name in way:
            inner = inner[_key(inner, name)]
        key = _key(inner, last)
        before = inner[key]
    except (KeyError, IndexError, TypeError, ValueError):
        raise InputError(f"The answer has no place '{options.get('field', '')}' to drift.") from None
    if "value" in options:
        inner[key] = options["value"]
        return found
    del inner[key]
    if "renamed" in options:
        inner[str(options["renamed"])] = before
    return found


def _key(inner: Any, name: str) -> Any:
    return int(name) if isinstance(inner, list) else name
