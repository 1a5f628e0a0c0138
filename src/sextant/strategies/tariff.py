"""The executable side of a view for whoever pays one schedule of fees: shared by all accounts that do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from sextant.model.account import FeeTier
from sextant.model.bar import Floats
from sextant.model.view import View
from sextant.strategies.fees import tier_of
from sextant.strategies.gates import volume_24h_usd
from sextant.strategies.prices import CostAssumptions, Touch, touch, usd_now

V = TypeVar("V")


class Tariff:
    """Prices, fees and round trips of a view; arrays are float64 (S,), each computed once.

    Parameters
    ----------
    view
        The market.
    fees
        Tiers by ``venue:kind`` that come before the venues' entry tiers.
    assumptions
        What may be assumed where a replay has no quotes.
    """

    def __init__(self, view: View, fees: Mapping[str, FeeTier], assumptions: CostAssumptions) -> None:
        self.view = view
        self.fees = fees
        self.assumptions = assumptions
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], V]) -> V:
        """What ``make`` gave the first time this key was asked for; for what depends on no account but by its fees."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: V = self._kept[key]
        return kept

    @cached_property
    def touch(self) -> Touch:
        """Best prices."""
        return touch(self.view, self.assumptions)

    @cached_property
    def usd(self) -> Floats:
        """USD per unit of the quote asset."""
        return usd_now(self.view)

    @cached_property
    def volume_24h_usd(self) -> Floats:
        """Turnover of the last 24 hours, USD."""
        return volume_24h_usd(self.view)

    @cached_property
    def taker_bps(self) -> Floats:
        """Taker fee; NaN where unknown."""
        return np.array(
            [np.nan if tier is None else tier.taker_bps for tier in self._tiers], dtype=np.float64
        )

    @cached_property
    def maker_bps(self) -> Floats:
        """Maker fee; NaN where unknown."""
        return np.array(
            [np.nan if tier is None else tier.maker_bps for tier in self._tiers], dtype=np.float64
        )

    @cached_property
    def _tiers(self) -> list[FeeTier | None]:
        """One for each instrument; a venue states one for all of a kind."""
        by_kind: dict[tuple[str, str], FeeTier | None] = {}
        tiers = []
        for spec in self.view.instruments:
            instrument = spec.instrument
            key = (instrument.venue, instrument.kind)
            if key not in by_kind:
                by_kind[key] = tier_of(self.fees, instrument)
            tiers.append(by_kind[key])
        return tiers

    @cached_property
    def round_trip_bps(self) -> Floats:
        """Two taker fees and the quoted spread, positive; NaN where unknown.

        Notes
        -----
        What past signals are charged: sizes up to the touch, no funding. Evidence adds funding from settled rates.
        """
        return 2.0 * self.taker_bps + self.touch.spread_bps

    @cached_property
    def resting_bps(self) -> Floats:
        """The same where the entry is a post-only order: it pays the maker fee and crosses no spread."""
        return self.maker_bps + self.taker_bps + 0.5 * self.touch.spread_bps

    @cached_property
    def perpetuals(self) -> Mapping[tuple[str, str], list[int]]:
        """Columns of the perpetuals that are traded, by base and quote."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for column, spec in enumerate(self.view.instruments):
            if spec.instrument.kind == "perpetual" and spec.status == "trading":
                found[spec.instrument.base, spec.instrument.quote].append(column)
        return dict(found)
