"""The public calls of the simulated Deribit: each a function of its parameters and the time, by HTTP or socket alike.

References
----------
docs.deribit.com: public/get_instruments, get_book_summary_by_currency, get_tradingview_chart_data,
get_funding_rate_history, ticker, test; read on 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from sextant.errors import Rejected
from sextant.sim.deribit_market import (
    CURRENCIES,
    DAY_MS,
    Contract,
    DerivativesModel,
)
from sextant.sim.market_model import DAY_MINUTES
from sextant.sim.tape import MINUTE_MS

INVALID_PARAMS: Final = -32_602
METHOD_NOT_FOUND: Final = -32_601
TOO_MANY: Final = 10_028
NO_RAW: Final = 13_778

_RESOLUTIONS: Final = {"1": 1, "3": 3, "5": 5, "10": 10, "15": 15, "30": 30, "60": 60, "120": 120, "180": 180, "360": 360, "720": 720, "1D": DAY_MINUTES}  # fmt: skip
_MOST_BARS: Final = 5_001
_MOST_FUNDING: Final = 744
_LISTED_DAYS: Final = 1_000  # the perpetual was created so many days ago; nobody asks for more
_FOREVER_MS: Final = 32_503_708_800_000  # how the venue writes "never"


def refused(code: int, message: str) -> Rejected:
    """A refusal in the venue's own terms."""
    return Rejected(message, ret_code=code)


class Calls:
    """Answers to public calls.

    Parameters
    ----------
    derivatives
        What is listed and quoted.
    """

    def __init__(self, derivatives: DerivativesModel) -> None:
        self._derivatives = derivatives
        self.methods: dict[str, Callable[[Mapping[str, Any], int], Any]] = {
            "public/get_instruments": self.instruments,
            "public/get_book_summary_by_currency": self.summaries,
            "public/get_tradingview_chart_data": self.bars,
            "public/get_funding_rate_history": self.funding,
            "public/ticker": self.ticker,
            "public/test": lambda _, __: {"version": "1.2.26"},
            "public/get_time": lambda _, now_ms: now_ms,
        }

    def find(self, name: Any, now_ms: int) -> Contract:
        """The instrument of a name.

        Raises
        ------
        Rejected
            If none of that name trades now.
        """
        currency = str(name).partition("-")[0]
        for contract in self._derivatives.contracts(currency, now_ms):
            if contract.name == name:
                return contract
        raise refused(INVALID_PARAMS, "Invalid params")

    def instruments(self, params: Mapping[str, Any], now_ms: int) -> list[dict[str, Any]]:
        """What is settled in a currency; in one that is not simulated nothing is."""
        kind = params.get("kind")
        whose = CURRENCIES if params.get("currency", "any") == "any" else (_currency(params),)
        return [
            self._row(contract, now_ms)
            for currency in whose
            for contract in self._derivatives.contracts(currency, now_ms)
            if kind is None or kind == _kind(contract)
        ]

    def _row(self, contract: Contract, now_ms: int) -> dict[str, Any]:
        expiry_ms = contract.expiry_ms or _FOREVER_MS
        option = contract.kind == "option"
        row: dict[str, Any] = {
            "instrument_name": contract.name,
            "instrument_id": sum(map(ord, contract.name)) * 1_000 + len(contract.name),
            "kind": _kind(contract),
            "instrument_type": "reversed",
            "state": "open",
            "is_active": True,
            "base_currency": contract.currency,
            "quote_currency": contract.currency if option else "USD",
            "counter_currency": "USD",
            "settlement_currency": contract.currency,
            "settlement_period": contract.period,
            "price_index": f"{contract.currency.lower()}_usd",
            "creation_timestamp": now_ms - now_ms % DAY_MS - 40 * DAY_MS,
            "expiration_timestamp": expiry_ms,
            "tick_size": contract.tick,
            "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}] if option else [],
            "min_trade_amount": contract.lot,
            "contract_size": 1.0 if option else contract.lot,
            "maker_commission": 0.0003 if option else 0.0,
            "taker_commission": 0.0003 if option else 0.0005,
            "block_trade_commission": 0.00015,
        }
        if option:
            row |= {"strike": contract.strike, "option_type": "call" if contract.call else "put"}
        else:
            row |= {"max_leverage": 50, "max_liquidation_commission": 0.0075}
        return row

    def summaries(self, params: Mapping[str, Any], now_ms: int) -> list[dict[str, Any]]:
        """Best prices, mark and interest of everything settled in a currency."""
        kind = params.get("kind")
        found = []
        for contract in self._derivatives.contracts(_currency(params), now_ms):
            if kind is not None and kind != _kind(contract):
                continue
            told = self.told(contract, now_ms)
            bid, ask = told["best_bid_price"] or None, told["best_ask_price"] or None
            row = {
                "instrument_name": contract.name,
                "base_currency": contract.currency,
                "quote_currency": contract.currency if contract.kind == "option" else "USD",
                "creation_timestamp": now_ms,
                "bid_price": bid,
                "ask_price": ask,
                "mid_price": None if bid is None or ask is None else round((bid + ask) / 2, 6),
                "mark_price": told["mark_price"],
                "last": told["last_price"],
                "open_interest": told["open_interest"],
                "estimated_delivery_price": told["index_price"],
                **told["stats"],
            }
            names = (
                "mark_iv",
                "underlying_price",
                "underlying_index",
                "interest_rate",
                "current_funding",
                "funding_8h",
            )
            found.append(row | {name: told[name] for name in names if name in told})
        return found

    def ticker(self, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """The latest facts of one instrument."""
        return self.told(self.find(params.get("instrument_name"), now_ms), now_ms)

    def told(self, contract: Contract, now_ms: int) -> dict[str, Any]:
        """What the channel ``ticker`` says of an instrument."""
        return self._option(contract, now_ms) if contract.kind == "option" else self._linear(contract, now_ms)

    def _option(self, contract: Contract, now_ms: int) -> dict[str, Any]:
        quote = self._derivatives.option(contract, now_ms)
        return {
            "timestamp": now_ms,
            "instrument_name": contract.name,
            "state": "open",
            "stats": {
                "volume": quote.volume,
                "volume_usd": round(quote.volume * quote.mark * quote.index, 2),
                "price_change": None,
                "low": None,
                "high": None,
            },
            "greeks": {
                "delta": quote.delta,
                "gamma": quote.gamma,
                "vega": quote.vega,
                "theta": quote.theta,
                "rho": 0.0,
            },
            "interest_rate": 0.0,
            "underlying_price": quote.forward,
            "underlying_index": contract.name.rpartition("-")[0].rpartition("-")[0],
            "index_price": quote.index,
            "estimated_delivery_price": quote.index,
            "settlement_price": quote.mark,
            "last_price": quote.ask,
            "mark_price": quote.mark,
            "mark_iv": quote.mark_iv,
            "open_interest": quote.open_interest,
            "best_bid_price": quote.bid or 0.0,
            "best_bid_amount": quote.bid_amount,
            "best_ask_price": quote.ask,
            "best_ask_amount": quote.ask_amount,
            "bid_iv": quote.bid_iv or 0.0,
            "ask_iv": quote.ask_iv or 0.0,
            "min_price": 0.0001,
            "max_price": round(quote.mark + 0.05, 4),
        }

    def _linear(self, contract: Contract, now_ms: int) -> dict[str, Any]:
        derivatives, currency = self._derivatives, contract.currency
        bid, ask = derivatives.touch(contract, now_ms)
        index, listing = derivatives.index(currency, now_ms), derivatives.listing(currency)
        turnover = listing.turnover / 5.0
        interest = float(derivatives.model.open_interest(listing, _five(now_ms))[0]) / 10.0
        told = {
            "timestamp": now_ms,
            "instrument_name": contract.name,
            "state": "open",
            "stats": {
                "volume": round(turnover / index, 2),
                "volume_usd": round(turnover, 2),
                "price_change": 0.0,
                "low": bid,
                "high": ask,
            },
            "index_price": index,
            "estimated_delivery_price": index,
            "settlement_price": bid,
            "last_price": bid,
            "mark_price": round((bid + ask) / 2, 2),
            "open_interest": round(interest * index / contract.lot) * contract.lot,
            "best_bid_price": bid,
            "best_bid_amount": contract.lot * (100 + now_ms // 1_000 % 400),
            "best_ask_price": ask,
            "best_ask_amount": contract.lot * (100 + now_ms // 1_300 % 400),
            "min_price": round(bid * 0.985, 2),
            "max_price": round(ask * 1.015, 2),
        }
        if contract.kind == "perpetual":
            rate = self._rate(currency, now_ms // 3_600_000)
            told |= {
                "current_funding": round(rate * 8.0, 8),
                "funding_8h": round(rate * 8.0, 8),
                "interest_value": 0.0,
            }
        return told

    def _rate(self, currency: str, hour: int) -> float:
        """What one hour of funding costs: an eighth of what the market charges for eight."""
        listing = self._derivatives.listing(currency)
        return (
            self._derivatives.model.funding_rate(listing, hour * 60 // listing.funding_minutes)
            * 60.0
            / listing.funding_minutes
        )

    def bars(self, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Bars of a perpetual, the last one forming; futures and options state none."""
        contract = self.find(params.get("instrument_name"), now_ms)
        minutes = _RESOLUTIONS.get(str(params.get("resolution")))
        first_ms, last_ms = _number(params, "start_timestamp"), _number(params, "end_timestamp")
        if minutes is None or last_ms < first_ms:
            raise refused(INVALID_PARAMS, "Invalid params")
        size_ms = minutes * MINUTE_MS
        born_ms = now_ms - now_ms % DAY_MS - _LISTED_DAYS * DAY_MS
        first = -(-max(first_ms, born_ms) // size_ms)
        # The bar that is forming is left out: a client must tell it by its end, and may well meet none.
        last = min(last_ms // size_ms, now_ms // size_ms - 1)
        count = min(last - first + 1, _MOST_BARS)
        if contract.kind != "perpetual" or count < 1:
            return {
                "status": "no_data",
                "ticks": [],
                "open": [],
                "high": [],
                "low": [],
                "close": [],
                "volume": [],
                "cost": [],
            }
        listing = self._derivatives.listing(contract.currency)
        bars = self._derivatives.model.bars(listing, minutes, last - count + 1, count)
        sides = {
            name: [round(value, 2) for value in (side * listing.tick).tolist()]
            for name, side in (
                ("open", bars.open),
                ("high", bars.high),
                ("low", bars.low),
                ("close", bars.close),
            )
        }
        return {
            "status": "ok",
            "ticks": [(last - count + 1 + row) * size_ms for row in range(count)],
            **sides,
            "volume": [round(value, 4) for value in (bars.lots * listing.lot / 5.0).tolist()],
            "cost": [round(value, 2) for value in (bars.turnover / 5.0).tolist()],
        }

    def funding(self, params: Mapping[str, Any], now_ms: int) -> list[dict[str, Any]]:
        """Funding of each past hour of a perpetual."""
        contract = self.find(params.get("instrument_name"), now_ms)
        if contract.kind != "perpetual":
            raise refused(INVALID_PARAMS, "Invalid params")
        first, last = (_number(params, name) // 3_600_000 for name in ("start_timestamp", "end_timestamp"))
        last = min(last, now_ms // 3_600_000)
        index = self._derivatives.index(contract.currency, now_ms)
        rows = range(max(first, last - _MOST_FUNDING + 1), last + 1)
        return [
            {
                "timestamp": hour * 3_600_000,
                "index_price": index,
                "prev_index_price": index,
                "interest_1h": round(self._rate(contract.currency, hour), 10),
                "interest_8h": round(self._rate(contract.currency, hour) * 8.0, 10),
            }
            for hour in rows
        ]


def _kind(contract: Contract) -> str:
    return "option" if contract.kind == "option" else "future"


def _currency(params: Mapping[str, Any]) -> str:
    currency = params.get("currency")
    if not isinstance(currency, str):
        raise refused(INVALID_PARAMS, "Invalid params")
    return currency if currency in CURRENCIES else ""


def _number(params: Mapping[str, Any], name: str) -> int:
    try:
        return int(params[name])
    except (KeyError, TypeError, ValueError):
        raise refused(INVALID_PARAMS, "Invalid params") from None


def _five(now_ms: int) -> Any:
    """The number of the present five minutes, as the model takes it."""
    return np.array([now_ms // (5 * MINUTE_MS)], dtype=np.int64)
