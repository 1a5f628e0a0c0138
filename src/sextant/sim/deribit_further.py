"""Public calls of the simulated Deribit that name currencies, whole order books, past trades and funding over a span.

References
----------
docs.deribit.com: public/get_currencies, get_order_book, get_last_trades_by_instrument (and _and_time),
get_funding_rate_value, get_index_price; read on 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.sim.books import Level
from sextant.sim.deribit_market import CURRENCIES, Contract, DerivativesModel
from sextant.sim.deribit_rest import INVALID_PARAMS, Calls, refused
from sextant.sim.tape import Print

_DEPTHS: Final = (1, 5, 10, 20, 50, 100, 1_000, 10_000)
_TRADES: Final = 1_000
_UNSAID: Final = 10
_TRADES_A_SLOT: Final = 8
_LONG_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum"}

Book = tuple[int, list[Level], list[Level]]
"""Change id, bids and asks, best first, in whole ticks and amounts of one contract."""


class FurtherCalls:
    """Answers to further public calls.

    Parameters
    ----------
    calls
        Those that the sockets' channels say, too.
    derivatives
        What is listed and quoted.
    book
        The order book of a future or perpetual, as told last.
    """

    def __init__(
        self, calls: Calls, derivatives: DerivativesModel, book: Callable[[Contract, int], Book]
    ) -> None:
        self._calls = calls
        self._derivatives = derivatives
        self._book = book
        self.methods: dict[str, Callable[[Mapping[str, Any], int], Any]] = {
            "public/get_currencies": lambda _, __: [_currency_row(name) for name in CURRENCIES],
            "public/get_index_price": self.index_price,
            "public/get_order_book": self.order_book,
            "public/get_last_trades_by_instrument": self.last_trades,
            "public/get_last_trades_by_instrument_and_time": self.last_trades,
            "public/get_funding_rate_value": self.funding_value,
        }

    def index_price(self, params: Mapping[str, Any], now_ms: int) -> dict[str, float]:
        """The basket price of a base against the dollar."""
        currency = str(params.get("index_name", "")).partition("_usd")[0].upper()
        if currency not in self._derivatives.tapes:
            raise refused(INVALID_PARAMS, "Invalid params")
        price = self._derivatives.index(currency, now_ms)
        return {"index_price": price, "estimated_delivery_price": price}

    def order_book(self, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """The latest facts of an instrument and its levels; best prices and amounts are those of the levels."""
        contract = self._calls.find(params.get("instrument_name"), now_ms)
        depth = int(params.get("depth", 5))
        if depth not in _DEPTHS:
            raise refused(INVALID_PARAMS, "Invalid params")
        told = self._calls.told(contract, now_ms)
        if contract.kind == "option":
            quoted = [(told["best_bid_price"], told["best_bid_amount"])] if told["best_bid_price"] else []
            sides = {
                "bids": [list(level) for level in quoted],
                "asks": [[told["best_ask_price"], told["best_ask_amount"]]],
            }
            return {**told, "change_id": now_ms, **sides}
        number, bids, asks = self._book(contract, now_ms)
        levels = {
            name: [[round(ticks * contract.tick, 2), size * contract.lot] for ticks, size in side[:depth]]
            for name, side in (("bids", bids), ("asks", asks))
        }
        best = {
            f"best_{side}_{what}": levels[f"{side}s"][0][place]
            for side in ("bid", "ask")
            for place, what in enumerate(("price", "amount"))
        }
        return {**told, **best, "change_id": number, **levels}

    def last_trades(self, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """The last trades of a perpetual, newest first, or those of a span, oldest first; options and futures have none."""
        contract = self._calls.find(params.get("instrument_name"), now_ms)
        count = min(_TRADES, int(params.get("count", _UNSAID)))
        if contract.kind != "perpetual":
            return {"trades": [], "has_more": False}
        tape = self._derivatives.tapes[contract.currency]
        before = min(now_ms, int(params.get("end_timestamp", now_ms)))
        rows: list[dict[str, Any]] = []
        if "start_timestamp" not in params:
            slot = tape.due(before)
            while len(rows) < count:
                rows += reversed(self.trades(contract, slot, now_ms))
                slot -= 1
            return {"trades": rows[:count], "has_more": True}
        start = int(params["start_timestamp"])
        # A slot ends with its last trade, and the ones before are of milliseconds earlier.
        for slot in range(tape.due(start), min(tape.due(before) + 1, tape.due(now_ms)) + 1):
            rows += [
                row for row in self.trades(contract, slot, now_ms) if start <= row["timestamp"] <= before
            ]
            if len(rows) > count:
                break
        return {"trades": rows[:count], "has_more": len(rows) > count}

    def trades(self, contract: Contract, slot: int, now_ms: int) -> list[dict[str, Any]]:
        """The trades of a slot of a perpetual, oldest first."""
        tape = self._derivatives.tapes[contract.currency]
        index = self._derivatives.index(contract.currency, now_ms)
        return [
            self._trade(contract, one, slot * _TRADES_A_SLOT + place, index)
            for place, one in enumerate(tape.trades(slot))
        ]

    def _trade(self, contract: Contract, one: Print, number: int, index: float) -> dict[str, Any]:
        listing = self._derivatives.listing(contract.currency)
        amount = max(1, round(one.lots * listing.lot * index / 5 / contract.lot)) * contract.lot
        return {
            "trade_id": one.id,
            "trade_seq": number,
            "timestamp": one.time_ms,
            "instrument_name": contract.name,
            "price": round(one.ticks * listing.tick / contract.tick) * contract.tick,
            "amount": amount,
            "contracts": amount / contract.lot,
            "direction": "buy" if one.bought else "sell",
            "tick_direction": 0 if one.turn > 0 else 2,
            "index_price": index,
            "mark_price": index,
        }

    def funding_value(self, params: Mapping[str, Any], now_ms: int) -> float:
        """What a perpetual charged within a span, the sum of its whole hours."""
        rows = self._calls.funding(params, now_ms)
        start = int(params["start_timestamp"])
        return float(round(sum(row["interest_1h"] for row in rows if row["timestamp"] > start), 10))


def _currency_row(name: str) -> dict[str, Any]:
    return {
        "currency": name,
        "currency_long": _LONG_NAMES[name],
        "coin_type": "BITCOIN" if name == "BTC" else "ETHER",
        "fee_precision": 4,
        "min_confirmations": 1,
        "min_withdrawal_fee": 0.0001,
        "withdrawal_fee": 0.0001,
        "withdrawal_priorities": [],
        "in_cross_collateral_pool": True,
        "network_currency": name,
        "network_fee": 0.0001,
    }
