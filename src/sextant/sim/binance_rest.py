"""The market paths of Binance, spot and USD-M futures: parameters checked, answers shaped as the venue shapes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from sextant.sim.binance_asked import Answer, Parameters, moment, named, refused, whole
from sextant.sim.binance_futures import Futures
from sextant.sim.binance_wire import (
    INTERVALS,
    TRADES_A_SLOT,
    bar_row,
    first_trade,
    levels_text,
    price_text,
    rate_limits,
    shift_of,
    size_text,
    slot_of,
    spot_row,
    sum_text,
    trades_of,
    usdm_row,
)
from sextant.sim.day import Day, DayFacts
from sextant.sim.diff_books import DiffBook
from sextant.sim.live import Live
from sextant.sim.market_model import FIRST_DAY
from sextant.sim.tape import MINUTE_MS, Forming, Print, Tape
from sextant.sim.universe import Category, Listing

_DAY_MS: Final = 86_400_000
_SPOT_DEPTH: Final = 5_000
_USDM_DEPTHS: Final = ("5", "10", "20", "50", "100", "500", "1000")
_LONGEST: Final = 1_000
_QUOTED: Final = 50
_FIRST_DAYS: Final = 8


class Answers:
    """The body of each path as a function of its parameters and the time.

    Parameters
    ----------
    live
        The market as time passes.
    book
        The numbered book of an instrument.
    """

    def __init__(self, live: Live, book: Callable[[Listing], DiffBook]) -> None:
        self._live = live
        self._book_of = book
        self._days: dict[int, tuple[Tape, Day]] = {}
        self.paths: dict[str, Answer] = {}
        for root, category in (("/api/v3/", "spot"), ("/fapi/v1/", "linear")):
            market = _Market(self, "spot" if category == "spot" else "linear")
            self.paths |= {root + name: call for name, call in market.calls.items()}
        self.paths["/fapi/v2/ticker/price"] = self.paths["/fapi/v1/ticker/price"]
        self.paths["/api/v3/avgPrice"] = self._mean_price
        self.paths |= Futures(live).calls

    @property
    def live(self) -> Live:
        """The market as time passes."""
        return self._live

    def book_of(self, listing: Listing) -> DiffBook:
        """The numbered book of an instrument."""
        return self._book_of(listing)

    def facts(self, listing: Listing, now_ms: int) -> DayFacts:
        """The last day of an instrument."""
        tape, known = self._live.tape(listing), self._days.get(listing.position)
        if known is None or known[0] is not tape:
            known = self._days[listing.position] = (tape, Day(tape))
        return known[1].facts(now_ms)

    def _mean_price(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = named(self._live, "spot", asked)
        bars = self._live.model.minute_span(listing, now_ms // MINUTE_MS - 5, now_ms // MINUTE_MS)
        mean = float(bars.turnover.sum()) / (float(bars.lots.sum()) * listing.lot)
        return {"mins": 5, "price": f"{mean:.8f}", "closeTime": now_ms // MINUTE_MS * MINUTE_MS - 1}


class _Market:
    """The paths that spot and futures have alike."""

    def __init__(self, answers: Answers, category: Category) -> None:
        self._answers = answers
        self._live = answers.live
        self._category = category
        self._spot = category == "spot"
        self.calls: dict[str, Answer] = {
            "ping": lambda _, __: {},
            "time": lambda _, now_ms: {"serverTime": now_ms},
            "exchangeInfo": self._instruments,
            "depth": self._book,
            "trades": self._trades,
            "aggTrades": self._folded_trades,
            "klines": self._bars,
            "ticker/24hr": self._days,
            "ticker/price": self._prices,
            "ticker/bookTicker": self._quotes,
        }

    # -- instruments and books ---------------------------------------------------------------------

    def _instruments(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        found = self._chosen(asked)
        found = [listing for listing in found if listing.launch_day * _DAY_MS <= now_ms]
        if not self._spot:
            return {
                "timezone": "UTC",
                "serverTime": now_ms,
                "futuresType": "U_MARGINED",
                "rateLimits": rate_limits(spot=False),
                "exchangeFilters": [],
                "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
                "symbols": [usdm_row(listing) for listing in found],
            }
        sets = asked.get("showPermissionSets", "true") != "false"
        return {
            "timezone": "UTC",
            "serverTime": now_ms,
            "rateLimits": rate_limits(spot=True),
            "exchangeFilters": [],
            "symbols": [spot_row(listing, sets=sets) for listing in found],
        }

    def _book(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._one(asked)
        if self._spot:
            depth = whole(asked, "limit", 100, _SPOT_DEPTH)
        else:
            if asked.get("limit", "500") not in _USDM_DEPTHS:
                raise refused(-4021, f"{asked['limit'][:20]} is not valid depth limit.")
            depth = whole(asked, "limit", 500, _LONGEST)
        book = self._answers.book_of(listing)
        book.advance(now_ms, depth)
        bids, asks = book.top(depth)
        levels = {"bids": levels_text(listing, bids), "asks": levels_text(listing, asks)}
        if self._spot:
            return {"lastUpdateId": book.number, **levels}
        return {"lastUpdateId": book.number, "E": now_ms, "T": book.changed_ms, **levels}

    # -- trades ------------------------------------------------------------------------------------

    def _trades(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing = self._one(asked)
        tape = self._live.tape(listing)
        wanted = whole(asked, "limit", 500, _LONGEST)
        slot = tape.due(now_ms)
        first = slot - -(-wanted // TRADES_A_SLOT) + 1
        found = [trade for number in range(first, slot + 1) for trade in trades_of(tape, number)]
        rows = []
        for number, trade in found[-wanted:]:
            row = {
                "id": number,
                "price": price_text(listing, trade.ticks),
                "qty": size_text(listing, trade.lots),
                "quoteQty": self._value(listing, trade),
                "time": trade.time_ms,
                "isBuyerMaker": not trade.bought,
            }
            rows.append(row | {"isBestMatch": True} if self._spot else row)
        return rows

    def _value(self, listing: Listing, trade: Print) -> str:
        value = trade.lots * listing.lot * trade.ticks * listing.tick
        return f"{value:.{8 if self._spot else 2}f}"

    def _folded_trades(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing = self._one(asked)
        tape = self._live.tape(listing)
        wanted = whole(asked, "limit", 500, _LONGEST)
        start_ms, end_ms = moment(asked, "startTime"), moment(asked, "endTime")
        before = min(now_ms, now_ms if end_ms is None else end_ms)
        newest = (
            tape.due(before) + 1
        )  # a slot ends with its last trade, and the ones before are of milliseconds earlier
        newest = min(newest, tape.due(now_ms))
        oldest = (listing.launch_day + 1) * _DAY_MS // MINUTE_MS * tape.parts
        if asked.get("fromId"):
            first = max(oldest, slot_of(tape, whole(asked, "fromId", 0, 1 << 60)))
        elif start_ms is not None:
            first = max(oldest, tape.due(start_ms))
        else:
            first = max(oldest, newest - wanted // TRADES_A_SLOT - 2)
        newest = min(newest, first + wanted // TRADES_A_SLOT + 2)
        least = whole(asked, "fromId", 0, 1 << 60)
        found = [
            (number, trade)
            for slot in range(first, newest + 1)
            for number, trade in trades_of(tape, slot)
            if number >= least and (start_ms or 0) <= trade.time_ms <= before
        ]
        forward = start_ms is not None or bool(asked.get("fromId"))
        return [
            folded_trade(listing, number, trade)
            for number, trade in (found[:wanted] if forward else found[-wanted:])
        ]

    # -- bars --------------------------------------------------------------------------------------

    def _bars(self, asked: Parameters, now_ms: int) -> list[list[Any]]:
        listing = self._one(asked)
        minutes = INTERVALS.get(asked.get("interval", ""))
        if minutes is None:
            raise refused(-1120, "Invalid interval.")
        limit = whole(asked, "limit", 500, _LONGEST if self._spot else 1_500)
        start_ms, end_ms = moment(asked, "startTime"), moment(asked, "endTime")
        step_ms, shift_ms = minutes * MINUTE_MS, shift_of(minutes) * MINUTE_MS
        newest = (now_ms - shift_ms) // step_ms
        last = newest if end_ms is None else min(newest, (end_ms - shift_ms) // step_ms)
        oldest = max(listing.launch_day, FIRST_DAY + _FIRST_DAYS) * _DAY_MS
        first = -((shift_ms - max(start_ms or 0, oldest)) // step_ms)
        if start_ms is None:
            first = max(first, last - limit + 1)
        return self._rows(listing, minutes, (first, min(last, first + limit - 1)), now_ms)

    def _rows(self, listing: Listing, minutes: int, span: tuple[int, int], now_ms: int) -> list[list[Any]]:
        """Rows of the bar numbers of a span, oldest first; the bar of now is as far as it has traded."""
        tape, shift = self._live.tape(listing), shift_of(minutes)
        first, last = span
        whole_bars = min(last + 1, (now_ms // MINUTE_MS - shift) // minutes)
        rows: list[list[Any]] = []
        if whole_bars > first:
            bars = self._live.model.bars(listing, minutes, first, whole_bars - first, shift)
            columns = (bars.open, bars.high, bars.low, bars.close, bars.lots, bars.turnover)
            for row, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
                open_ms = ((first + row) * minutes + shift) * MINUTE_MS
                rows.append(bar_row(tape, open_ms, minutes, Forming(*values), tape.parts * minutes))
        if last >= whole_bars >= first:
            open_minute = whole_bars * minutes + shift
            forming = tape.forming(now_ms, minutes, open_minute)
            played = max(0, tape.due(now_ms) - open_minute * tape.parts + 1)
            rows.append(bar_row(tape, open_minute * MINUTE_MS, minutes, forming, played))
        return rows

    # -- summaries ---------------------------------------------------------------------------------

    def _days(self, asked: Parameters, now_ms: int) -> Any:
        return self._each(asked, lambda listing: self._day(listing, now_ms))

    def _day(self, listing: Listing, now_ms: int) -> dict[str, Any]:
        facts, tape = self._answers.facts(listing, now_ms), self._live.tape(listing)
        last = trades_of(tape, tape.due(now_ms))[-1]
        row = day_numbers(listing, facts) | {"lastQty": size_text(listing, last[1].lots)}
        if self._spot:
            row |= {"prevClosePrice": row["openPrice"], **self._touch(listing, now_ms)}
        first = first_trade(tape, tape.due(now_ms - _DAY_MS) + 1)
        row |= {
            "openTime": now_ms - _DAY_MS,
            "closeTime": now_ms,
            "firstId": first,
            "lastId": last[0],
            "count": last[0] - first + 1,
        }
        return {name: row[name] for name in (_SPOT_DAY if self._spot else _USDM_DAY)}

    def _touch(self, listing: Listing, now_ms: int) -> dict[str, str]:
        bids, asks = self._live.tape(listing).current(now_ms, _QUOTED).view(1)
        return {
            "bidPrice": price_text(listing, bids[0][0]),
            "bidQty": size_text(listing, bids[0][1]),
            "askPrice": price_text(listing, asks[0][0]),
            "askQty": size_text(listing, asks[0][1]),
        }

    def _prices(self, asked: Parameters, now_ms: int) -> Any:
        def row(listing: Listing) -> dict[str, Any]:
            tape = self._live.tape(listing)
            last = tape.trades(tape.due(now_ms))[-1]
            found = {"symbol": listing.symbol, "price": price_text(listing, last.ticks)}
            return found if self._spot else found | {"time": last.time_ms}

        return self._each(asked, row)

    def _quotes(self, asked: Parameters, now_ms: int) -> Any:
        def row(listing: Listing) -> dict[str, Any]:
            found: dict[str, Any] = {"symbol": listing.symbol, **self._touch(listing, now_ms)}
            if self._spot:
                return found
            book = self._answers.book_of(listing)
            return found | {"time": now_ms, "lastUpdateId": book.number}

        return self._each(asked, row)

    # -- which -------------------------------------------------------------------------------------

    def _each(self, asked: Parameters, row: Callable[[Listing], dict[str, Any]]) -> Any:
        """One row where one symbol is asked for, else a list."""
        if asked.get("symbol"):
            return row(self._one(asked))
        return [row(listing) for listing in self._chosen(asked)]

    def _chosen(self, asked: Parameters) -> list[Listing]:
        if asked.get("symbol") and self._spot:
            return [self._one(asked)]
        every = [listing for listing in self._live.listings() if listing.category == self._category]
        if not asked.get("symbols") or not self._spot:
            return every
        try:
            names = orjson.loads(asked["symbols"])
        except orjson.JSONDecodeError:
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise refused(
                -1100, "Illegal characters found in parameter 'symbols'; legal range is '^\\[.*\\]$'."
            )
        return [named(self._live, self._category, {"symbol": name}) for name in names]

    def _one(self, asked: Parameters) -> Listing:
        return named(self._live, self._category, asked)


def day_numbers(listing: Listing, facts: DayFacts) -> dict[str, Any]:
    """What a summary says of prices and volumes."""
    day = facts.rolling
    moved = (facts.last - day.open) * listing.tick
    mean = day.turnover / (day.lots * listing.lot)
    return {
        "symbol": listing.symbol,
        "priceChange": price_text(listing, facts.last - day.open),
        "priceChangePercent": f"{moved / (day.open * listing.tick) * 100.0:.3f}",
        "weightedAvgPrice": price_text(listing, mean / listing.tick),
        "lastPrice": price_text(listing, facts.last),
        "openPrice": price_text(listing, day.open),
        "highPrice": price_text(listing, day.high),
        "lowPrice": price_text(listing, day.low),
        "volume": size_text(listing, day.lots),
        "quoteVolume": sum_text(listing, day.turnover),
    }


_ENDS: Final = ("openTime", "closeTime", "firstId", "lastId", "count")
_CHANGED: Final = ("symbol", "priceChange", "priceChangePercent", "weightedAvgPrice")
_RANGE: Final = ("openPrice", "highPrice", "lowPrice", "volume", "quoteVolume", *_ENDS)
_SPOT_DAY: Final = (
    *_CHANGED,
    "prevClosePrice",
    "lastPrice",
    "lastQty",
    "bidPrice",
    "bidQty",
    "askPrice",
    "askQty",
    *_RANGE,
)
_USDM_DAY: Final = (*_CHANGED, "lastPrice", "lastQty", *_RANGE)


def folded_trade(listing: Listing, number: int, trade: Print) -> dict[str, Any]:
    """A trade as both the answer and the stream spell it; each is of one fill."""
    found = {
        "a": number,
        "p": price_text(listing, trade.ticks),
        "q": size_text(listing, trade.lots),
        "f": number,
        "l": number,
        "T": trade.time_ms,
        "m": not trade.bought,
    }
    return found | {"M": True} if listing.category == "spot" else found
