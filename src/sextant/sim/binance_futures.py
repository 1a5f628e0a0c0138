"""The market paths that USD-M futures of Binance have beside those of spot: marks, funding, open interest, crowds."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.sim.binance_asked import Answer, Parameters, moment, named, refused, whole
from sextant.sim.live import Live
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing

_DAY_MS: Final = 86_400_000
_FIVE_MINUTES_MS: Final = 300_000
_PERIODS: Final = {"5m": 1, "15m": 3, "30m": 6, "1h": 12, "2h": 24, "4h": 48, "6h": 72, "12h": 144, "1d": 288}
"""Steps of 5 minutes in each period of open interest and of the long/short ratio."""

_KEPT_STEPS: Final = 30 * 288  # such statistics reach thirty days back
_SETTLEMENTS: Final = 1_000
_CAP: Final = "0.00500000"


class Futures:
    """The paths that futures alone have."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._model = live.model
        self.calls: dict[str, Answer] = {
            "/fapi/v1/premiumIndex": self._marks,
            "/fapi/v1/fundingRate": self._funding,
            "/fapi/v1/fundingInfo": self._terms,
            "/fapi/v1/openInterest": self._interest,
            "/futures/data/openInterestHist": self._interests,
            "/futures/data/globalLongShortAccountRatio": self._ratios,
        }

    def _every(self) -> list[Listing]:
        return [listing for listing in self._live.listings() if listing.category == "linear"]

    def _one(self, asked: Parameters) -> Listing:
        return named(self._live, "linear", asked)

    def _marks(self, asked: Parameters, now_ms: int) -> Any:
        if asked.get("symbol"):
            return mark_row(self._live, self._one(asked), now_ms)
        return [mark_row(self._live, listing, now_ms) for listing in self._every()]

    def _funding(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing = self._one(asked)
        limit = whole(asked, "limit", 100, _SETTLEMENTS)
        start_ms, end_ms = moment(asked, "startTime"), moment(asked, "endTime")
        step_ms = listing.funding_minutes * MINUTE_MS
        last = min(now_ms, now_ms if end_ms is None else end_ms) // step_ms
        first = -(-max(start_ms or 0, (listing.launch_day + 1) * _DAY_MS) // step_ms)
        if start_ms is None:
            first = max(first, last - limit + 1)
        numbers = range(first, min(last, first + limit - 1) + 1)
        return [
            {
                "symbol": listing.symbol,
                "fundingTime": number * step_ms,
                "fundingRate": f"{self._model.funding_rate(listing, number):.8f}",
                "markPrice": f"{ticks * listing.tick:.8f}",
            }
            for number, ticks in zip(numbers, self._opens(listing, numbers, now_ms), strict=True)
        ]

    def _opens(self, listing: Listing, numbers: range, now_ms: int) -> list[int]:
        """Prices in ticks at settlements, the last of which may be that of the interval that runs."""
        minutes = listing.funding_minutes
        running = now_ms // MINUTE_MS // minutes
        whole_ones = min(numbers.stop, running) - numbers.start
        found: list[int] = []
        if whole_ones > 0:
            found = self._model.bars(listing, minutes, numbers.start, whole_ones).open.tolist()
        if running in numbers:
            found.append(self._live.tape(listing).forming(now_ms, minutes, running * minutes).open)
        return found

    def _terms(self, _: Parameters, now_ms: int) -> list[dict[str, Any]]:
        return [
            {
                "symbol": listing.symbol,
                "adjustedFundingRateCap": _CAP,
                "adjustedFundingRateFloor": f"-{_CAP}",
                "fundingIntervalHours": listing.funding_minutes // 60,
                "disclaimer": False,
                "updateTime": now_ms // _DAY_MS * _DAY_MS,
            }
            for listing in self._every()
        ]

    def _interest(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._one(asked)
        value = float(self._model.open_interest(listing, np.array([now_ms // _FIVE_MINUTES_MS]))[0])
        return {
            "symbol": listing.symbol,
            "openInterest": f"{value / 2.0:.{listing.lot_decimals}f}",
            "time": now_ms,
        }

    def _interests(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing, numbers = self._numbers(asked, now_ms)
        values = self._model.open_interest(listing, np.array(numbers, dtype=np.int64)).tolist()
        closes = [
            float(self._model.minute_span(listing, number * 5 - 1, number * 5).close[0]) * listing.tick
            for number in numbers
        ]
        return [
            {
                "symbol": listing.symbol,
                "sumOpenInterest": f"{value / 2.0:.8f}",
                "sumOpenInterestValue": f"{value / 2.0 * price:.8f}",
                "timestamp": number * _FIVE_MINUTES_MS,
            }
            for number, value, price in zip(numbers, values, closes, strict=True)
        ]

    def _ratios(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing, numbers = self._numbers(asked, now_ms)
        values = self._model.long_share(listing, np.array(numbers, dtype=np.int64)).tolist()
        return [
            {
                "symbol": listing.symbol,
                "longAccount": f"{value:.4f}",
                "longShortRatio": f"{value / (1.0 - value):.4f}",
                "shortAccount": f"{1.0 - value:.4f}",
                "timestamp": number * _FIVE_MINUTES_MS,
            }
            for number, value in zip(numbers, values, strict=True)
        ]

    def _numbers(self, asked: Parameters, now_ms: int) -> tuple[Listing, list[int]]:
        """Numbers of the 5-minute grid asked for, oldest first."""
        listing = self._one(asked)
        steps = _PERIODS.get(asked.get("period", ""))
        if steps is None:
            raise refused(-1130, "Data sent for parameter 'period' is not valid.")
        limit = whole(asked, "limit", 30, 500)
        start_ms, end_ms = moment(asked, "startTime"), moment(asked, "endTime")
        step_ms = steps * _FIVE_MINUTES_MS
        last = min(now_ms, now_ms if end_ms is None else end_ms) // step_ms
        kept_ms = max((listing.launch_day + 1) * _DAY_MS, now_ms - _KEPT_STEPS * _FIVE_MINUTES_MS)
        first = max(-(-max(start_ms or 0, kept_ms) // step_ms), last - limit + 1)
        return listing, [number * steps for number in range(first, last + 1)]


def mark_row(live: Live, listing: Listing, now_ms: int) -> dict[str, Any]:
    """Mark, index and the rate of the coming settlement, as the answer states them."""
    tape = live.tape(listing)
    price = tape.trades(tape.due(now_ms))[-1].ticks * listing.tick
    index = price / (1.0 + live.model.basis(listing, now_ms / _DAY_MS))
    step_ms = listing.funding_minutes * MINUTE_MS
    following = now_ms // step_ms + 1
    return {
        "symbol": listing.symbol,
        "markPrice": f"{price:.8f}",
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": f"{live.model.funding_rate(listing, following):.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": following * step_ms,
        "time": now_ms,
    }
