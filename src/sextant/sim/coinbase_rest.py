"""The public paths of Coinbase's REST interface: parameters checked, answers shaped as the venue shapes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.coinbase_wire import (
    GRANULARITY,
    bar_row,
    moment_text,
    price_text,
    product_row,
    size_text,
    trade_row,
)
from sextant.sim.day import Day
from sextant.sim.live import Live
from sextant.sim.spot_bars import bars_until
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing

MARKET: Final = "/api/v3/brokerage/market/"
_BARS: Final = 350
_MOST_LEVELS: Final = 1_000
_MOST_TRADES: Final = 1_000

Parameters = Mapping[str, str]
Result = dict[str, Any]


def refused(status: int, name: str, words: str) -> Rejected:
    """A refusal with its HTTP status, name and words."""
    return Rejected(words, reason="simulated", status=status, name=name)


class Answers:
    """The result of each path as a function of its parameters and the time.

    Parameters
    ----------
    live
        The market as time passes.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._days: dict[int, Day] = {}
        self.paths: dict[str, Callable[[Parameters, int], Result]] = {
            "/api/v3/brokerage/time": self._time,
            MARKET + "products": self._products,
            MARKET + "product_book": self._book,
            "/v2/time": lambda _, now_ms: {"data": {"iso": moment_text(now_ms, 3), "epoch": now_ms // 1_000}},
            "/v2/currencies": lambda _, __: {
                "data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01000000"}]
            },
            "/v2/currencies/crypto": self._assets,
            "/v2/exchange-rates": self._rates,
        }

    def answer(self, path: str, asked: Parameters, now_ms: int) -> Result:
        """The result of a path.

        Raises
        ------
        Rejected
            If there is no such path or product, or a parameter is not possible.
        """
        known = self.paths.get(path)
        if known is not None:
            return known(asked, now_ms)
        name, _, part = path.removeprefix(MARKET + "products/").partition("/")
        if not path.startswith(MARKET + "products/") or part not in ("", "candles", "ticker"):
            raise refused(404, "NOT_FOUND", "Not Found")
        listing = self._listing(name)
        if part == "candles":
            return self._bars(listing, asked, now_ms)
        if part == "ticker":
            return self._trades(listing, asked, now_ms)
        quote = name.rpartition("-")[2]
        return product_row(listing, self.day(listing).facts(now_ms), quote)

    def day(self, listing: Listing) -> Day:
        """What an instrument did in 24 hours."""
        found = self._days.get(listing.position)
        if found is None:
            found = self._days[listing.position] = Day(self._live.tape(listing))
        return found

    def find(self, name: str) -> Listing | None:
        """The instrument of a product, or of its second name against USDC."""
        base = name.removesuffix("-USDC")
        return self._live.find("spot", name if base == name else f"{base}-USD")

    def _listing(self, name: str) -> Listing:
        found = self.find(name)
        if found is None:
            raise refused(404, "NOT_FOUND", "valid product_id is required")
        return found

    def _time(self, _: Parameters, now_ms: int) -> Result:
        iso = moment_text(now_ms, 3)[:19] + "Z"
        return {"iso": iso, "epochSeconds": str(now_ms // 1_000), "epochMillis": str(now_ms)}

    def _products(self, asked: Parameters, now_ms: int) -> Result:
        listed = [] if asked.get("product_type", "SPOT") != "SPOT" else self._live.listings()
        rows = [
            product_row(listing, self.day(listing).facts(now_ms), quote)
            for listing in listed
            for quote in ("USD", "USDC")
        ]
        first = _whole(asked, "cursor" if asked.get("cursor") else "offset", 0, 1 << 31)
        limit = _whole(asked, "limit", len(rows), 1 << 31)
        page = rows[first : first + limit]
        more = first + limit < len(rows)
        pagination = {
            "prev_cursor": "",
            "next_cursor": str(first + limit) if more else "",
            "has_next": more,
            "has_prev": first > 0,
        }
        return {"products": page, "num_products": len(page), "pagination": pagination}

    def _book(self, asked: Parameters, now_ms: int) -> Result:
        listing = self._listing(asked.get("product_id", ""))
        depth = _whole(asked, "limit", _MOST_LEVELS, _MOST_LEVELS)
        book = self._live.tape(listing).current(now_ms, depth)
        sides = [
            [{"price": price_text(listing, ticks), "size": size_text(listing, lots)} for ticks, lots in side]
            for side in book.view(depth)
        ]
        bid, ask = (side[0][0] * listing.tick for side in book.view(1))
        told = {
            "product_id": asked["product_id"],
            "bids": sides[0],
            "asks": sides[1],
            "time": moment_text(book.changed_ms, 6),
        }
        middle = (bid + ask) / 2.0
        return {
            "pricebook": told,
            "last": price_text(listing, self.day(listing).facts(now_ms).last),
            "mid_market": f"{middle:.{listing.tick_decimals + 1}f}",
            "spread_bps": f"{(ask - bid) / middle * 1e4:.12f}",
            "spread_absolute": f"{ask - bid:.{listing.tick_decimals}f}",
        }

    def _trades(self, listing: Listing, asked: Parameters, now_ms: int) -> Result:
        """The last trades, newest first, and the best prices."""
        limit = _whole(asked, "limit", 100, _MOST_TRADES)
        tape = self._live.tape(listing)
        rows: list[dict[str, str]] = []
        slot = tape.due(now_ms)
        while len(rows) < limit:
            made = [
                trade_row(listing, trade, tape.number(slot, row))
                for row, trade in enumerate(tape.trades(slot))
            ]
            rows.extend(reversed(made))
            slot -= 1
        bids, asks = tape.current(now_ms, 50).view(1)
        return {
            "trades": rows[:limit],
            "best_bid": price_text(listing, bids[0][0]),
            "best_ask": price_text(listing, asks[0][0]),
        }

    def _bars(self, listing: Listing, asked: Parameters, now_ms: int) -> Result:
        """The bars that opened within a span, newest first; none of a span in which nothing traded, which is never."""
        minutes = GRANULARITY.get(asked.get("granularity", ""))
        if minutes is None:
            raise refused(400, "INVALID_ARGUMENT", "granularity is invalid")
        start_s, end_s = (_whole(asked, name, -1, 1 << 40) for name in ("start", "end"))
        if start_s < 0 or end_s < start_s:
            raise refused(400, "INVALID_ARGUMENT", "start and end are required")
        step_ms = minutes * MINUTE_MS
        wanted = end_s * 1_000 // step_ms - -(-start_s * 1_000 // step_ms) + 1
        if wanted > _BARS + 1:
            raise refused(400, "INVALID_ARGUMENT", f"number of candles requested should be less than {_BARS}")
        limit = _whole(asked, "limit", _BARS, _BARS)
        found = bars_until(self._live.tape(listing), now_ms, minutes, end_s * 1_000, min(wanted, limit))
        rows = [bar_row(listing, open_ms, bar) for open_ms, bar in found if open_ms >= start_s * 1_000]
        return {"candles": rows[::-1]}

    def _assets(self, _: Parameters, __: int) -> Result:
        rows = [
            {
                "asset_id": f"00000000-0000-4000-8000-{listing.lane:012d}",
                "code": listing.base,
                "name": listing.base.capitalize(),
                "color": "#F7931A",
                "sort_index": 100 + listing.lane,
                "exponent": 8,
                "type": "crypto",
                "address_regex": "^[0-9a-zA-Z]{20,90}$",
            }
            for listing in self._live.listings()
        ]
        return {"data": rows}

    def _rates(self, _: Parameters, now_ms: int) -> Result:
        rates = {
            listing.base: f"{1.0 / (self.day(listing).facts(now_ms).last * listing.tick):.16f}"
            for listing in self._live.listings()
        }
        return {"data": {"currency": "USD", "rates": {"USD": "1.0", **rates}}}


def _whole(asked: Parameters, name: str, otherwise: int, most: int) -> int:
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not text.isdecimal():
        raise refused(400, "INVALID_ARGUMENT", f"{name} is invalid")
    return min(int(text), most)
