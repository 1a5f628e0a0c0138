"""The 24 h summary of an instrument: last, mark, index, extremes, volume, open interest, funding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sextant.sim.market_model import DAY_MINUTES
from sextant.sim.paths import Bars
from sextant.sim.tape import MINUTE_MS, Tape, folded
from sextant.sim.wire import price_text, rate_text, size_text, trimmed, turn_text

_DAY_MS: Final = 86_400_000
_FIVE_MINUTES_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class _Past:
    """What the last 24 h of whole minutes say; prices in ticks."""

    minute: int
    high: int
    low: int
    lots: int
    turnover: float
    day_ago: int
    hour_ago: int
    interest: float


class Summary:
    """Says the summary of one tape, and what changed in it since the last time.

    Parameters
    ----------
    tape
        The instrument as time passes.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._past: _Past | None = None
        self._told: dict[str, str] = {}

    def told(self) -> dict[str, str]:
        """All fields as told last."""
        return dict(self._told)

    def snapshot(self, now_ms: int) -> dict[str, str]:
        """All fields as the socket names them."""
        self._told = self.fields(now_ms)
        return dict(self._told)

    def delta(self, now_ms: int) -> dict[str, str]:
        """The fields that changed, with the symbol; a side of the touch is told with price and size together."""
        fields = self.fields(now_ms)
        told = self._told
        changed = {name: text for name, text in fields.items() if told.get(name) != text}
        for side in ("bid1", "ask1"):
            if side + "Price" in changed or side + "Size" in changed:
                changed[side + "Price"] = fields[side + "Price"]
                changed[side + "Size"] = fields[side + "Size"]
        self._told = fields
        return {"symbol": fields["symbol"], **changed}

    def fields(self, now_ms: int) -> dict[str, str]:
        """All fields now, by category, in the order of the wire."""
        return self._spot(now_ms) if self._tape.listing.category == "spot" else self._linear(now_ms)

    def row(self, now_ms: int) -> dict[str, Any]:
        """The row of the REST answer."""
        fields: dict[str, Any] = self.fields(now_ms)
        listing, tape = self._tape.listing, self._tape
        if listing.category == "spot":
            bids, asks = tape.current(now_ms, 50).view(1)
            fields["bid1Price"], fields["bid1Size"] = (
                price_text(listing, bids[0][0]),
                size_text(listing, bids[0][1]),
            )
            fields["ask1Price"], fields["ask1Size"] = (
                price_text(listing, asks[0][0]),
                size_text(listing, asks[0][1]),
            )
            return fields
        del fields["tickDirection"]
        absent = ("predictedDeliveryPrice", "basisRate", "deliveryFeeRate", "basis", "basisRateYear")
        return {**fields, **dict.fromkeys(absent, ""), "deliveryTime": "0"}

    def _now(self, now_ms: int) -> tuple[_Past, Bars, int]:
        """Past minutes, the played part of the minute that forms, and the last price in ticks."""
        tape = self._tape
        slot = tape.due(now_ms)
        minute, row = divmod(slot, tape.parts)
        if self._past is None or self._past.minute != minute:
            self._past = self._measure(minute)
        plan = tape.plan(minute)
        return self._past, plan.slice(0, row + 1), int(plan.close[row])

    def _measure(self, minute: int) -> _Past:
        tape = self._tape
        bars = tape.model.minute_span(tape.listing, minute - DAY_MINUTES, minute)
        whole = folded(bars)
        five = minute * MINUTE_MS // _FIVE_MINUTES_MS
        interest = 0.0
        if tape.listing.category != "spot":
            interest = float(tape.model.open_interest(tape.listing, np.array([five]))[0])
        return _Past(
            minute,
            whole.high,
            whole.low,
            whole.lots,
            whole.turnover,
            whole.open,
            int(bars.open[-60]),
            interest,
        )

    def _spot(self, now_ms: int) -> dict[str, str]:
        listing = self._tape.listing
        past, forming, last = self._now(now_ms)
        high, low, lots, turnover = self._extend(past, forming)
        return {
            "symbol": listing.symbol,
            "lastPrice": price_text(listing, last),
            "highPrice24h": price_text(listing, high),
            "lowPrice24h": price_text(listing, low),
            "prevPrice24h": price_text(listing, past.day_ago),
            "volume24h": size_text(listing, lots),
            "turnover24h": trimmed(turnover, 8),
            "price24hPcnt": f"{last / past.day_ago - 1.0:.4f}",
            "usdIndexPrice": trimmed(last * listing.tick * 0.9993, listing.tick_decimals + 3),
        }

    def _linear(self, now_ms: int) -> dict[str, str]:
        tape = self._tape
        listing = tape.listing
        past, forming, last = self._now(now_ms)
        high, low, lots, turnover = self._extend(past, forming)
        basis = tape.model.basis(listing, now_ms / _DAY_MS)
        price = last * listing.tick
        index, mark = price / (1.0 + basis), price
        inverse = listing.category == "inverse"
        value = past.interest / mark if inverse else past.interest * mark
        step_ms = listing.funding_minutes * MINUTE_MS
        settlement = now_ms // step_ms + 1
        bids, asks = tape.current(now_ms, 50).view(1)
        decimals = listing.shown_decimals
        trade = tape.trades(tape.due(now_ms))[-1]
        return {
            "symbol": listing.symbol,
            "tickDirection": turn_text(trade),
            "price24hPcnt": f"{last / past.day_ago - 1.0:.6f}",
            "lastPrice": price_text(listing, last),
            "prevPrice24h": price_text(listing, past.day_ago),
            "highPrice24h": price_text(listing, high),
            "lowPrice24h": price_text(listing, low),
            "prevPrice1h": price_text(listing, past.hour_ago),
            "markPrice": f"{mark:.{decimals}f}",
            "indexPrice": f"{index:.{decimals}f}",
            "openInterest": f"{past.interest:.{listing.lot_decimals}f}",
            "openInterestValue": f"{value:.2f}",
            "turnover24h": f"{turnover:.4f}",
            "volume24h": f"{lots * listing.lot:.{0 if inverse else 4}f}",
            "fundingIntervalHour": str(listing.funding_minutes // 60),
            "fundingCap": "0.005",
            "singleOpenInterest": f"{past.interest / 2.0:.{listing.lot_decimals}f}",
            "singleOpenInterestValue": f"{value / 2.0:.2f}",
            "nextFundingTime": str(settlement * step_ms),
            "fundingRate": rate_text(tape.model.funding_rate(listing, settlement)),
            "bid1Price": price_text(listing, bids[0][0]),
            "bid1Size": size_text(listing, bids[0][1]),
            "ask1Price": price_text(listing, asks[0][0]),
            "ask1Size": size_text(listing, asks[0][1]),
            "preOpenPrice": "",
            "preQty": "",
            "curPreListingPhase": "",
        }

    def _extend(self, past: _Past, forming: Bars) -> tuple[int, int, int, float]:
        lots = int(forming.lots.sum())
        price = int(forming.close[-1]) * self._tape.listing.tick
        size = lots * self._tape.listing.lot
        return (
            max(past.high, int(forming.high.max())),
            min(past.low, int(forming.low.min())),
            past.lots + lots,
            past.turnover + (size / price if self._tape.listing.category == "inverse" else size * price),
        )
