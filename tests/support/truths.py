"""What a simulated market is at a moment, in the numbers that clients read, taken from its model without any wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sextant.sim.books import Level
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import MINUTE_MS, Tape
from sextant.sim.universe import Listing


@dataclass(frozen=True)
class Truth:
    """One listing of a model at a moment."""

    model: MarketModel
    listing: Listing
    now_ms: int

    @property
    def tape(self) -> Tape:
        """The instrument as time passes, as no simulator has touched it."""
        return Tape(self.model, self.listing, 1.0)

    def last(self) -> float:
        """Price of the last trade."""
        tape = self.tape
        return tape.trades(tape.due(self.now_ms))[-1].ticks * self.listing.tick

    def check_levels(self, found: dict[str, Any], levels: tuple[Sequence[Level], Sequence[Level]]) -> None:
        """Compare an independent client's book with given levels, in ticks and lots."""
        for ours, theirs in zip((found["bids"], found["asks"]), levels, strict=True):
            assert [row[0] for row in ours] == pytest.approx(
                [ticks * self.listing.tick for ticks, _ in theirs]
            )
            assert [row[1] for row in ours] == pytest.approx([lots * self.listing.lot for _, lots in theirs])

    def check_bars(self, found: list[list[float]], minutes: int, first: int, *, volume: bool = True) -> None:
        """Compare bars from number ``first`` with those of the model."""
        truth = self.model.bars(self.listing, minutes, first, len(found))
        step_ms = minutes * MINUTE_MS
        assert [row[0] // step_ms for row in found] == list(range(first, first + len(found)))
        for at, side in enumerate((truth.open, truth.high, truth.low, truth.close), 1):
            assert [row[at] for row in found] == pytest.approx((side * self.listing.tick).tolist())
        if volume:
            # Clients state volume in base units, which is what an inverse contract calls its turnover.
            inverse = self.listing.category == "inverse"
            traded = truth.turnover if inverse else truth.lots * self.listing.lot
            assert [row[5] for row in found] == pytest.approx(traded.tolist(), abs=1e-8)

    def check_funding(self, found: list[dict[str, Any]]) -> None:
        """Compare settlements with the rates of the model."""
        step_ms = self.listing.funding_minutes * MINUTE_MS
        assert found
        for row in found:
            number = row["timestamp"] // step_ms
            assert row["fundingRate"] == pytest.approx(
                self.model.funding_rate(self.listing, number), abs=1e-8
            )
