"""Prices worth knowing beside a score: where the bars turned, and where the volume was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.confluence.nodes import Column, Frame, Node, Rolled, read

LEVELS: Final[Mapping[Frame, Mapping[str, Node]]] = {
    "30m": {
        "support": read("levels", "support"),
        "resistance": read("levels", "resistance"),
        "atr": read("atr"),
        "break": read("structure_breaks", "event"),
    },
    "4h": {"break": read("structure_breaks", "event")},
    "grid": {"growth_4h": Rolled("hold", read("open_interest_change", steps=48))},
    "5m": {
        "break": read("structure_breaks", "event"),
        "close_4h": Rolled("lag", Column("close"), 48),
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
"""By frame and name, with what the detectors read beside the scores; no level is -inf below and inf above."""
