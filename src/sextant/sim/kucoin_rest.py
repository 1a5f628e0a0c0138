"""The public spot paths of KuCoin: parameters checked, answers shaped as the venue shapes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.day import Day, DayFacts
from sextant.sim.diff_books import DiffBook
from sextant.sim.kucoin_wire import (
    INTERVALS,
    bar_row,
    day_row,
    levels_text,
    price_text,
    size_text,
    symbol_row,
    trade_number,
    trade_row,
)
from sextant.sim.live import Live
from sextant.sim.spot_bars import bars_until
from sextant.sim.tape import MINUTE_MS, Tape
from sextant.sim.universe import Listing

PARAMETER: Final = "400100"
NO_SYMBOL: Final = "900001"
_LONGEST: Final = 1_500
_UNSAID: Final = 100
_TRADES: Final = 100
_SECOND_MS: Final = 1_000
_QUOTED: Final = 50

Parameters = Mapping[str, str]


def refused(code: str, message: str, status: int = 200) -> Rejected:
    """The refusal with the venue's code and words."""
    return Rejected(message, ret_code=code, status=status)


class Answers:
    """The data of each path as a function of its parameters and the time.

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
        self.opens_ms = 0
        self.paths: dict[str, Callable[[Parameters, int], Any]] = {
            "/api/v1/timestamp": lambda _, now_ms: now_ms,
            "/api/v1/status": self._status,
            "/api/v1/symbols": self._symbols,
            "/api/v2/symbols": self._symbols,
            "/api/v3/currencies": self._currencies,
            "/api/v1/market/allTickers": self._summaries,
            "/api/v1/market/stats": self._summary,
            "/api/v1/market/orderbook/level1": self._best,
            "/api/v1/market/orderbook/level2_20": lambda asked, now_ms: self._book(asked, now_ms, 20),
            "/api/v1/market/orderbook/level2_100": lambda asked, now_ms: self._book(asked, now_ms, 100),
            "/api/v1/market/histories": self._trades,
            "/api/v1/market/candles": self._bars,
        }

    def facts(self, listing: Listing, now_ms: int) -> DayFacts:
        """The last day of an instrument."""
        tape, known = self._live.tape(listing), self._days.get(listing.position)
        if known is None or known[0] is not tape:
            known = self._days[listing.position] = (tape, Day(tape))
        return known[1].facts(now_ms)

    def touch(self, listing: Listing, now_ms: int) -> tuple[list[str], list[str]]:
        """Best bid and ask, each with price and size."""
        bids, asks = self._live.tape(listing).current(now_ms, _QUOTED).view(1)
        return levels_text(listing, bids)[0], levels_text(listing, asks)[0]

    def _status(self, _: Parameters, now_ms: int) -> dict[str, str]:
        closed = now_ms < self.opens_ms
        return {"status": "close" if closed else "open", "msg": "upgrade match engine" if closed else ""}

    def _symbols(self, asked: Parameters, _: int) -> list[dict[str, Any]]:
        if asked.get("market", "USDS") != "USDS":
            return []
        return [symbol_row(listing) for listing in self._live.listings()]

    def _currencies(self, _: Parameters, __: int) -> list[dict[str, Any]]:
        names = [*dict.fromkeys(listing.base for listing in self._live.listings()), "USDT"]
        return [
            {
                "currency": name,
                "name": name,
                "fullName": name,
                "precision": 8,
                "confirms": None,
                "contractAddress": None,
                "isMarginEnabled": True,
                "isDebitEnabled": True,
                "chains": None,
            }
            for name in names
        ]

    def _summaries(self, _: Parameters, now_ms: int) -> dict[str, Any]:
        rows = []
        for listing in self._live.listings():
            bid, ask = self.touch(listing, now_ms)
            head = {
                "symbol": listing.symbol,
                "symbolName": listing.symbol,
                "buy": bid[0],
                "bestBidSize": bid[1],
                "sell": ask[0],
                "bestAskSize": ask[1],
            }
            rows.append(head | day_row(listing, self.facts(listing, now_ms)))
        return {"time": now_ms, "ticker": rows}

    def _summary(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        listing = self._listing(asked)
        bid, ask = self.touch(listing, now_ms)
        head = {"time": now_ms, "symbol": listing.symbol, "buy": bid[0], "sell": ask[0]}
        return head | day_row(listing, self.facts(listing, now_ms))

    def _best(self, asked: Parameters, now_ms: int) -> dict[str, Any]:
        return self.quote(self._listing(asked), now_ms)

    def quote(self, listing: Listing, now_ms: int) -> dict[str, Any]:
        """Best prices and the last trade."""
        tape, book = self._live.tape(listing), self._book_of(listing)
        book.advance(now_ms)
        (bid, ask) = (levels_text(listing, side)[0] for side in book.top(1))
        last = tape.trades(tape.due(now_ms))[-1]
        return {
            "sequence": str(book.number),
            "price": price_text(listing, last.ticks),
            "size": size_text(listing, last.lots),
            "bestAsk": ask[0],
            "bestAskSize": ask[1],
            "bestBid": bid[0],
            "bestBidSize": bid[1],
            "time": last.time_ms,
        }

    def _book(self, asked: Parameters, now_ms: int, depth: int) -> dict[str, Any]:
        listing = self._listing(asked)
        book = self._book_of(listing)
        book.advance(now_ms)
        bids, asks = book.top(depth)
        return {
            "time": now_ms,
            "sequence": str(book.number),
            "bids": levels_text(listing, bids),
            "asks": levels_text(listing, asks),
        }

    def _trades(self, asked: Parameters, now_ms: int) -> list[dict[str, Any]]:
        listing = self._listing(asked)
        tape = self._live.tape(listing)
        rows: list[dict[str, Any]] = []
        slot = tape.due(now_ms)
        while len(rows) < _TRADES:
            made = enumerate(tape.trades(slot))
            rows[:0] = [trade_row(listing, trade, trade_number(tape, slot, row)) for row, trade in made]
            slot -= 1
        return rows[-_TRADES:]

    def _bars(self, asked: Parameters, now_ms: int) -> list[list[str]]:
        listing = self._listing(asked)
        minutes = INTERVALS.get(asked.get("type", ""))
        if minutes is None:
            raise refused(PARAMETER, "Incorrect candlestick type.", 400)
        start_ms, end_ms = (_seconds(asked, name) * _SECOND_MS for name in ("startAt", "endAt"))
        last_ms = end_ms - 1 if end_ms else now_ms
        step_ms = minutes * MINUTE_MS
        wanted = (
            _UNSAID if not start_ms else min(_LONGEST, max(0, last_ms // step_ms - (start_ms - 1) // step_ms))
        )
        found = bars_until(self._live.tape(listing), now_ms, minutes, last_ms, wanted)
        return [bar_row(listing, open_ms, bar) for open_ms, bar in reversed(found) if open_ms >= start_ms]

    def _listing(self, asked: Parameters) -> Listing:
        symbol = asked.get("symbol", "")
        if not symbol:
            raise refused(PARAMETER, "symbol can not be empty", 400)
        found = self._live.find("spot", symbol)
        if found is None:
            raise refused(NO_SYMBOL, "symbol not exists")
        return found


def _seconds(asked: Parameters, name: str) -> int:
    text = asked.get(name, "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise refused(PARAMETER, f"{name} is invalid", 400)
    return int(text)
