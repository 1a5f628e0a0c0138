"""Prices worth knowing beside a score: where the bars turned, and where the volume was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.confluence.nodes import Frame, Node, read

LEVELS: Final[Mapping[Frame, Mapping[str, Node]]] = {
    "30m": {
        "support": read("levels", "support"),
        "resistance": read("levels", "resistance"),
        "atr": read("atr"),
    },
    "5m": {
        "support": read("levels", "support"),
        "resistance": read("levels", "resistance"),
        "support_strength": read("levels", "support_strength"),
        "resistance_strength": read("levels", "resistance_strength"),
        "atr": read("atr"),
    },
    "1m": {
        "poc": read("volume_profile", "poc"),
        "vah": read("volume_profile", "vah"),
        "val": read("volume_profile", "val"),
    },
}
"""By frame and name; no level is -inf below and inf above."""
