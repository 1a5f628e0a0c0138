"""What a JSON value looks like, for comparing simulated answers with recorded ones."""

from __future__ import annotations

from typing import Any


def shape(value: Any) -> Any:
    """Names and the types under them; rows of a list by their first."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
