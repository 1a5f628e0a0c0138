"""The market paths of Bybit v5: parameters checked, pages cut, answers shaped as the venue shapes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from sextant.errors import Rejected
from sextant.sim.live import Live
from sextant.sim.market_model import FIRST_DAY
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing
from sextant.sim.wire import (
    INTERVALS,
    WEEK_SHIFT_MINUTES,
    bar_row,
    bar_rows,
    instrument_row,
    levels_text,
    rate_text,
    trade_row,
)

BAD_PARAMETER: Final = 10_001
UNKNOWN_SYMBOL: Final = 10_029
_PERIODS: Final = {"5min": 1, "15min": 3, "30min": 6, "1h": 12, "4h": 48, "1d": 288}
"""Steps of 5 minutes in each period of open interest and of the long/short ratio."""
_FIVE_MINUTES_MS: Final = 300_000
_DAY_MS: Final = 86_400_000

Parameters = Mapping[str, str]


def _refused(message: str, code: int = BAD_PARAMETER) -> Rejected:
    return Rejected(message, ret_code=code)


class Answers:
    """The result of each path as a function of its parameters and the time.

    Parameters
    ----------
    live
        The market as time passes.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._model = live.model
        self.paths: dict[str, Callable[[Parameters, int], dict[str, Any]]] = {
            "/v5/market/time": self._time,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/kline": self._bars,
            "/v5/market/tickers": self._summaries,
            "/v5/market/orderbook": self._book,
            "/v5/market/recent-trade": self._trades,
            "/v5/market/funding/history": self._funding,
            "/v5/market/open-interest": self._interest,
            "/v5/market/account-ratio": self._ratio,
        }

    def _time(self, _: Parameters, now_ms: int) -> dict[str, Any]:
        return {"timeSecond": str(now_ms // 1_000), "timeNano": str(now_ms * 1_000_000)}

    def _instruments(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        category = _category(asked)
        if asked.get("symbol"):
            rows = [instrument_row(self._listing(asked))]
            return {
                "category": category,
                "list": rows,
                **({"nextPageCursor": ""} if category != "spot" else {}),
            }
        base, status = asked.get("baseCoin"), asked.get("status", "Trading")
        found = [
            listing
            for listing in self._live.listings()
            if listing.category == category
            and base in (None, "", listing.base)
            and status in ("", "Trading")
            and listing.launch_day * _DAY_MS <= now_ms
        ]
        if category == "spot":
            return {"category": category, "list": [instrument_row(listing) for listing in found]}
        limit = _limit(asked, 500, 1_000)
        first = _cursor(asked)
        page = found[first : first + limit]
        after = f"first%3D{first + limit}" if first + limit < len(found) else ""
        return {
            "category": category,
            "list": [instrument_row(listing) for listing in page],
            "nextPageCursor": after,
        }

    def _bars(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        category, listing = _category(asked), self._listing(asked)
        minutes = INTERVALS.get(asked.get("interval", ""))
        if minutes is None:
            raise _refused("Invalid period!")
        limit = _limit(asked, 200, 1_000)
        start_ms, end_ms = _moment(asked, "start"), _moment(asked, "end")
        step_ms = minutes * MINUTE_MS
        shift_ms = WEEK_SHIFT_MINUTES * MINUTE_MS if minutes > 1_440 else 0
        newest = (now_ms - shift_ms) // step_ms
        last = newest if end_ms is None else min(newest, (end_ms - shift_ms) // step_ms)
        oldest = max(listing.launch_day, FIRST_DAY + 8) * _DAY_MS
        first = -((shift_ms - max(start_ms or 0, oldest)) // step_ms)
        if start_ms is not None and end_ms is None:
            last = min(last, first + limit - 1)
        first = max(first, last - limit + 1)
        rows: list[list[str]] = []
        if last >= first:
            rows = self._rows(listing, minutes, first, last, now_ms)
        return {"category": category, "symbol": listing.symbol, "list": rows}

    def _rows(self, listing: Listing, minutes: int, first: int, last: int, now_ms: int) -> list[list[str]]:
        """Rows of bar numbers ``first`` to ``last``, newest first; the bar of now is as far as it has traded."""
        step_ms = minutes * MINUTE_MS
        shift = WEEK_SHIFT_MINUTES if minutes > 1_440 else 0
        whole = min(last + 1, (now_ms - shift * MINUTE_MS) // step_ms)
        rows: list[list[str]] = []
        if whole > first:
            bars = self._model.bars(listing, minutes, first, whole - first, shift)
            starts = [number * step_ms + shift * MINUTE_MS for number in range(first, whole)]
            rows = bar_rows(listing, starts, bars)
        if last >= whole:
            open_minute = whole * minutes + shift
            forming = self._live.tape(listing).forming(now_ms, minutes, open_minute)
            rows.insert(0, bar_row(listing, open_minute * MINUTE_MS, forming))
        return rows

    def _summaries(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        category = _category(asked)
        if asked.get("symbol"):
            chosen = [self._listing(asked)]
        else:
            chosen = [listing for listing in self._live.listings() if listing.category == category]
        return {"category": category, "list": [self._live.summary(listing).row(now_ms) for listing in chosen]}

    def _book(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        category, listing = _category(asked), self._listing(asked)
        depth = _limit(asked, 1 if category == "spot" else 25, 1_000)
        feed = self._live.deepest(listing, now_ms)
        bids, asks = feed.told()
        return {
            "s": listing.symbol,
            "b": levels_text(listing, bids[:depth]),
            "a": levels_text(listing, asks[:depth]),
            "ts": now_ms,
            "u": feed.u,
            "seq": feed.seq,
            "cts": feed.changed_ms,
        }

    def _trades(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        category, listing = _category(asked), self._listing(asked)
        limit = _limit(asked, 60, 60) if category == "spot" else _limit(asked, 500, 1_000)
        tape = self._live.tape(listing)
        seq = tape.due(now_ms) * 64 + listing.position % 64
        rows = [trade_row(listing, trade, seq) for trade in tape.recent(now_ms, limit)]
        return {"category": category, "list": rows}

    def _funding(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._derivative(asked)
        limit = _limit(asked, 200, 200)
        start_ms, end_ms = _moment(asked, "startTime"), _moment(asked, "endTime")
        if start_ms is not None and end_ms is None:
            raise _refused("params error: endTime is required when startTime is passed")
        step_ms = listing.funding_minutes * MINUTE_MS
        last = min(now_ms, now_ms if end_ms is None else end_ms) // step_ms
        first = -(-max(start_ms or 0, (listing.launch_day + 1) * _DAY_MS) // step_ms)
        rows = [
            {
                "symbol": listing.symbol,
                "fundingRate": rate_text(self._model.funding_rate(listing, number)),
                "fundingRateTimestamp": str(number * step_ms),
            }
            for number in range(last, max(first, last - limit + 1) - 1, -1)
        ]
        return {"category": listing.category, "list": rows}

    def _interest(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._derivative(asked)
        numbers, after = self._periods(asked, "intervalTime", now_ms, listing, _limit(asked, 50, 200))
        values = self._model.open_interest(listing, np.array(numbers, dtype=np.int64))
        decimals = listing.lot_decimals
        rows = [
            {
                "openInterest": f"{value:.{decimals}f}",
                "singleOpenInterest": f"{value / 2.0:.{decimals}f}",
                "timestamp": str(number * _FIVE_MINUTES_MS),
            }
            for number, value in zip(numbers, values.tolist(), strict=True)
        ]
        return {"symbol": listing.symbol, "category": listing.category, "list": rows, "nextPageCursor": after}

    def _ratio(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._derivative(asked)
        numbers, after = self._periods(asked, "period", now_ms, listing, _limit(asked, 50, 500))
        values = self._model.long_share(listing, np.array(numbers, dtype=np.int64))
        rows = [
            {
                "symbol": listing.symbol,
                "buyRatio": f"{value:.4f}",
                "sellRatio": f"{1.0 - value:.4f}",
                "timestamp": str(number * _FIVE_MINUTES_MS),
            }
            for number, value in zip(numbers, values.tolist(), strict=True)
        ]
        return {"list": rows, "nextPageCursor": after}

    def _periods(
        self, asked: Parameters, name: str, now_ms: int, listing: Listing, limit: int
    ) -> tuple[list[int], str]:
        """Numbers of the 5-minute grid asked for, newest first, and the cursor of the next page."""
        steps = _PERIODS.get(asked.get(name, ""))
        if steps is None:
            raise _refused(f"params error: {name} is invalid")
        start_ms, end_ms = _moment(asked, "startTime"), _moment(asked, "endTime")
        step_ms = steps * _FIVE_MINUTES_MS
        newest = min(now_ms, now_ms if end_ms is None else end_ms) // step_ms
        oldest = -(-max(start_ms or 0, (listing.launch_day + 1) * _DAY_MS) // step_ms)
        newest -= _cursor(asked)
        last = max(oldest, newest - limit + 1)
        numbers = [number * steps for number in range(newest, last - 1, -1)]
        after = f"first%3D{_cursor(asked) + limit}" if last > oldest else ""
        return numbers, after

    def _derivative(self, asked: Parameters) -> Listing:
        if asked.get("category") not in ("linear", "inverse"):
            raise _refused("Illegal category")
        return self._listing(asked)

    def _listing(self, asked: Parameters) -> Listing:
        symbol = asked.get("symbol", "")
        if not symbol:
            raise _refused("params error: symbol is required")
        if symbol != symbol.upper():
            raise _refused(f"params error: symbol invalid {symbol}")
        found = self._live.find(asked.get("category", "linear"), symbol)
        if found is None:
            raise _refused("The requested symbol is invalid.", UNKNOWN_SYMBOL)
        return found


def _category(asked: Parameters) -> str:
    category = asked.get("category", "linear")
    if category not in ("linear", "inverse", "spot"):
        raise _refused("Illegal category")
    return category


def _limit(asked: Parameters, otherwise: int, most: int) -> int:
    text = asked.get("limit", "")
    if not text:
        return otherwise
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _refused(f"params error: limit {text[:20]} is invalid")
    return min(most, int(text))


def _moment(asked: Parameters, name: str) -> int | None:
    text = asked.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 14:
        raise _refused(f"params error: {name} {text[:20]} is invalid")
    return int(text)


def _cursor(asked: Parameters) -> int:
    text = asked.get("cursor", "").replace("%3D", "=")
    if not text:
        return 0
    name, _, number = text.partition("=")
    if name != "first" or not number.isdigit():
        raise _refused("params error: cursor is invalid")
    return int(number)
