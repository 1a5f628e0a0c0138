"""The identity of this build."""

from __future__ import annotations

from importlib.metadata import version


def code_version() -> str:
    """Name and version of the installed package."""
    return f"sextant {version('sextant')}"
