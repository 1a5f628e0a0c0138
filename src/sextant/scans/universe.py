"""Which instruments a request is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.errors import InputError
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument, matches
from sextant.model.view import Flags, View
from sextant.scans.records import AssetTier, ScanRequest

TIER_FLOORS_USD: Final[tuple[tuple[AssetTier, float], ...]] = (
    ("tier_institutional", 1e8),
    ("tier_enterprise", 5e7),
    ("tier_professional", 1e7),
    ("tier_retail", 1e6),
    ("tier_emerging", 1e5),
    ("tier_micro", 1e4),
    ("tier_any", 0.0),
)
"""24 h turnover in USD at which each band begins; it ends where the next higher one begins (strategies.md 1.10)."""

SHOWN_UNMATCHED: Final = 50  # entries echoed to the caller; more would only repeat the mistake


@dataclass(frozen=True, eq=False)
class Universe:
    """The instruments of a request.

    Parameters
    ----------
    chosen
        bool (S,): whether each instrument of the view belongs to it.
    turnover_usd
        float64 (S,): 24 h turnover, NaN where unknown.
    unmatched
        Entries of the request that name nothing in the view.
    """

    chosen: Flags
    turnover_usd: Floats
    unmatched: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many instruments belong to it."""
        return int(np.count_nonzero(self.chosen))

    @property
    def tiers(self) -> tuple[AssetTier, ...]:
        """The bands present in it, highest first; instruments of unknown turnover have none."""
        known = self.turnover_usd[self.chosen & np.isfinite(self.turnover_usd)]
        ceiling, present = np.inf, []
        for tier, floor in TIER_FLOORS_USD:
            if ((known >= floor) & (known < ceiling)).any():
                present.append(tier)
            ceiling = floor
        return tuple(present)


def choose(view: View, request: ScanRequest, turnover_usd: Floats) -> Universe:
    """The instruments of a view that a request is about.

    Parameters
    ----------
    turnover_usd
        float64 (S,): 24 h turnover of each instrument, NaN where unknown; unknown belongs to ``tier_any`` only.

    Raises
    ------
    InputError
        If the request names instruments and none of them exists.
    """
    chosen = np.ones(view.size, dtype=np.bool_)
    unmatched: list[str] = []
    if request.instruments:
        chosen, unmatched = _named(view, request.instruments)
        if not chosen.any():
            raise _none_known(unmatched, view.size)
    if request.asset_tiers:
        chosen &= _in_tiers(turnover_usd, request.asset_tiers)
    return Universe(chosen, turnover_usd, tuple(unmatched[:SHOWN_UNMATCHED]))


def unmatched_of(patterns: Sequence[str], known: Sequence[Instrument]) -> tuple[str, ...]:
    """Entries of a request that name none of the known instruments.

    Raises
    ------
    InputError
        If none of the entries names one.
    """
    unmatched = [text for text in patterns if not any(matches(text, one) for one in known)]
    if len(unmatched) == len(patterns):
        raise _none_known(unmatched, len(known))
    return tuple(unmatched[:SHOWN_UNMATCHED])


def _none_known(unmatched: Sequence[str], known_count: int) -> InputError:
    shown = ", ".join(unmatched[:SHOWN_UNMATCHED])
    return InputError(
        f"None of the instruments asked for is known: {shown}. The view holds {known_count} instruments.",
        reason="not_a_choice",
        field="symbols",
    )


def _named(view: View, patterns: Sequence[str]) -> tuple[Flags, list[str]]:
    chosen = np.zeros(view.size, dtype=np.bool_)
    unmatched: list[str] = []
    for pattern in patterns:
        hits = np.array([matches(pattern, spec.instrument) for spec in view.instruments], dtype=np.bool_)
        if hits.any():
            chosen |= hits
        else:
            unmatched.append(pattern)
    return chosen, unmatched


def _in_tiers(turnover_usd: Floats, tiers: Sequence[AssetTier]) -> Flags:
    if "tier_any" in tiers:
        return np.ones(len(turnover_usd), dtype=np.bool_)
    inside = np.zeros(len(turnover_usd), dtype=np.bool_)
    ceiling = np.inf
    for tier, floor in TIER_FLOORS_USD:
        if tier in tiers:
            inside |= (turnover_usd >= floor) & (turnover_usd < ceiling)
        ceiling = floor
    return inside
