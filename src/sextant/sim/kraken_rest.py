"""The public paths of Kraken's REST interface: parameters checked, answers shaped as the venue shapes them."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.day import Day
from sextant.sim.kraken_wire import (
    INTERVALS,
    SIZE_DECIMALS,
    asset_key,
    former,
    mean_price,
    moment_text,
    pair_key,
    pair_names,
    price_text,
    shown_price,
    size_text,
    trade_count,
)
from sextant.sim.live import Live
from sextant.sim.market_model import DAY_MINUTES, FIRST_DAY
from sextant.sim.spot_bars import bars_until
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing

UNKNOWN_PAIR: Final = "EQuery:Unknown asset pair"
BAD_ARGUMENTS: Final = "EGeneral:Invalid arguments"
_ROWS: Final = 720
_MOST_TRADES: Final = 1_000
_MOST_LEVELS: Final = 500
_SECOND_NS: Final = 1_000_000_000
_FEES: Final = [[0, 0.4], [10_000, 0.35], [50_000, 0.24], [100_000, 0.22], [250_000, 0.2]]
_MAKER_FEES: Final = [[0, 0.25], [10_000, 0.2], [50_000, 0.14], [100_000, 0.12], [250_000, 0.08]]

Parameters = Mapping[str, str]
Result = dict[str, Any]


def refused(words: str) -> Rejected:
    """A refusal in the venue's words."""
    return Rejected(words, reason="simulated")


class Answers:
    """The result of each path as a function of its parameters and the time.

    Parameters
    ----------
    live
        The market as time passes.
    pace
        Factor on how often each instrument trades.
    """

    def __init__(self, live: Live, pace: float) -> None:
        self._live = live
        self._pace = pace
        self._days: dict[int, Day] = {}
        self.paths: dict[str, Callable[[Parameters, int], Result]] = {
            "/0/public/Time": self._time,
            "/0/public/Assets": self._assets,
            "/0/public/AssetPairs": self._pairs,
            "/0/public/Ticker": self._facts,
            "/0/public/Depth": self._book,
            "/0/public/Trades": self._trades,
            "/0/public/OHLC": self._bars,
        }

    def day(self, listing: Listing) -> Day:
        """What an instrument did in 24 hours and since midnight."""
        found = self._days.get(listing.position)
        if found is None:
            found = self._days[listing.position] = Day(self._live.tape(listing))
        return found

    def _time(self, _: Parameters, now_ms: int) -> Result:
        text = email.utils.formatdate(now_ms / 1_000).replace("-0000", "+0000")
        return {"unixtime": now_ms // 1_000, "rfc1123": text}

    def _assets(self, asked: Parameters, _: int) -> Result:
        every = {asset_key(listing.base): former(listing.base) for listing in self._live.listings()}
        wanted = [name for name in asked.get("asset", "").split(",") if name]
        dollar = {"ZUSD": _asset("USD", 4, 2)}
        found = dollar | {key: _asset(name, 10, 5) for key, name in every.items()}
        if not wanted:
            return found
        chosen = {key: row for key, row in found.items() if key in wanted or row["altname"] in wanted}
        if len(chosen) < len(set(wanted)):
            raise refused("EQuery:Unknown asset")
        return chosen

    def _pairs(self, asked: Parameters, _: int) -> Result:
        return {pair_key(listing): _pair(listing) for listing in self._chosen(asked)}

    def _facts(self, asked: Parameters, now_ms: int) -> Result:
        return {pair_key(listing): self._row(listing, now_ms) for listing in self._chosen(asked)}

    def _row(self, listing: Listing, now_ms: int) -> Result:
        tape, facts = self._live.tape(listing), self.day(listing).facts(now_ms)
        bids, asks = tape.current(now_ms, 50).view(1)
        trade = tape.trades(tape.due(now_ms))[-1]
        spans = (facts.today, facts.rolling)

        def side(level: tuple[int, int]) -> list[str]:
            size = level[1] * listing.lot
            return [
                shown_price(listing, level[0] * listing.tick),
                str(max(1, int(size))),
                f"{max(size, 0.001):.3f}",
            ]

        return {
            "a": side(asks[0]),
            "b": side(bids[0]),
            "c": [shown_price(listing, trade.ticks * listing.tick), size_text(listing, trade.lots)],
            "v": [size_text(listing, span.lots) for span in spans],
            "p": [shown_price(listing, mean_price(listing, span)) for span in spans],
            "t": [trade_count(listing, self._pace, span) for span in spans],
            "l": [shown_price(listing, span.low * listing.tick) for span in spans],
            "h": [shown_price(listing, span.high * listing.tick) for span in spans],
            "o": shown_price(listing, facts.today.open * listing.tick),
        }

    def _book(self, asked: Parameters, now_ms: int) -> Result:
        listing = self._one(asked)
        count = _whole(asked, "count", 100, _MOST_LEVELS)
        book = self._live.tape(listing).current(now_ms, count)
        moment = book.changed_ms // 1_000
        bids, asks = (
            [
                [shown_price(listing, ticks * listing.tick), f"{max(lots * listing.lot, 0.001):.3f}", moment]
                for ticks, lots in side
            ]
            for side in book.view(count)
        )
        return {pair_key(listing): {"asks": asks, "bids": bids}}

    def _trades(self, asked: Parameters, now_ms: int) -> Result:
        listing = self._one(asked)
        count = _whole(asked, "count", _MOST_TRADES, _MOST_TRADES)
        tape = self._live.tape(listing)
        newest, since_ns = tape.due(now_ms), _whole(asked, "since", 0, 1 << 62)
        if since_ns < 10_000_000_000:
            since_ns *= _SECOND_NS  # seconds are taken, too
        first = max(listing.launch_day, FIRST_DAY + 1) * DAY_MINUTES * tape.parts
        slot = max(tape.due(since_ns // 1_000_000), first) if since_ns else newest - count
        rows: list[tuple[int, list[Any]]] = []
        while slot <= newest and (not since_ns or len(rows) < count):
            for row, trade in enumerate(tape.trades(slot)):
                if trade.time_ms * 1_000_000 > since_ns:
                    kind = "m" if abs(trade.turn) == 1 else "l"
                    name = tape.number(slot, row)
                    price = shown_price(listing, trade.ticks * listing.tick)
                    told = [price, size_text(listing, trade.lots), trade.time_ms / 1_000]
                    side = "b" if trade.bought else "s"
                    rows.append((trade.time_ms, [*told, side, kind, "", name]))
            slot += 1
        rows = rows[:count] if since_ns else rows[-count:]
        last_ns = rows[-1][0] * 1_000_000 if rows else since_ns
        return {pair_key(listing): [row for _, row in rows], "last": str(last_ns)}

    def _bars(self, asked: Parameters, now_ms: int) -> Result:
        listing = self._one(asked)
        minutes = _whole(asked, "interval", 1, INTERVALS[-1])
        if minutes not in INTERVALS:
            raise refused(BAD_ARGUMENTS)
        since_s = _whole(asked, "since", 0, 1 << 62)
        found = bars_until(self._live.tape(listing), now_ms, minutes, now_ms, _ROWS)
        rows: list[list[Any]] = [
            [
                open_ms // 1_000,
                *(price_text(listing, ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)),
                f"{mean_price(listing, bar):.{listing.tick_decimals}f}",
                size_text(listing, bar.lots),
                trade_count(listing, self._pace, bar),
            ]
            for open_ms, bar in found
            if open_ms // 1_000 > since_s
        ]
        last = now_ms // (minutes * MINUTE_MS) - 1
        return {pair_key(listing): rows, "last": last * minutes * 60}

    def _one(self, asked: Parameters) -> Listing:
        if not asked.get("pair"):
            raise refused(BAD_ARGUMENTS)
        found = self._chosen(asked)
        if len(found) != 1:
            raise refused(UNKNOWN_PAIR)
        return found[0]

    def _chosen(self, asked: Parameters) -> list[Listing]:
        every = self._live.listings()
        wanted = [name for name in asked.get("pair", "").split(",") if name]
        if not wanted:
            return every
        by_name = {name: listing for listing in every for name in pair_names(listing)}
        if any(name not in by_name for name in wanted):
            raise refused(UNKNOWN_PAIR)
        return [by_name[name] for name in dict.fromkeys(wanted)]


def status_of(state: str, now_ms: int) -> Result:
    """The answer about the state of the venue."""
    return {"status": state, "timestamp": moment_text(now_ms)[:19] + "Z"}


def _asset(name: str, decimals: int, shown: int) -> Result:
    return {
        "aclass": "currency",
        "altname": name,
        "decimals": decimals,
        "display_decimals": shown,
        "collateral_value": 1.0,
        "status": "enabled",
    }


def _pair(listing: Listing) -> Result:
    name = former(listing.base)
    return {
        "altname": f"{name}USD",
        "wsname": f"{name}/USD",
        "aclass_base": "currency",
        "base": asset_key(listing.base),
        "aclass_quote": "currency",
        "quote": "ZUSD",
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": listing.tick_decimals,
        "lot_decimals": SIZE_DECIMALS,
        "lot_multiplier": 1,
        "leverage_buy": [2, 3, 4, 5],
        "leverage_sell": [2, 3, 4, 5],
        "fees": _FEES,
        "fees_maker": _MAKER_FEES,
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{5.0 / listing.price:.{SIZE_DECIMALS}f}",
        "costmin": "0.5",
        "tick_size": f"{listing.tick:.{listing.tick_decimals}f}",
        "status": "online",
        "long_position_limit": 250,
        "short_position_limit": 200,
    }


def _whole(asked: Parameters, name: str, otherwise: int, most: int) -> int:
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not text.isdecimal() or int(text) > most:
        raise refused(BAD_ARGUMENTS)
    return int(text)
