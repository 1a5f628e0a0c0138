"""All numbers inside a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """All floats inside a value, with where they are."""
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from numbers(part, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from numbers(part, f"{path}[{index}]")
