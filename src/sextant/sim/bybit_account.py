"""The private paths of Bybit v5 for one seeded account: signatures checked, holdings shaped as the venue shapes them.

The account never trades: its quantities follow from the seed's reference prices alone, its values from the market.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.live import Live
from sextant.sim.universe import Listing
from sextant.sim.wire import step_text, trimmed

EQUITY_USD: Final = 50_000.0
"""What the account is worth at the reference prices."""

WEIGHTS: Final[Mapping[str, float]] = {"BTC": 0.46, "ETH": 0.16, "SOL": 0.10, "XRP": 0.08}
"""Shares held as spot; the rest is USDT. More of Bitcoin than most would hold, so that there is something to say."""

POSITION: Final = ("BNB", 0.12, 5.0)
"""Base, share of equity and leverage of a long perpetual."""

MAINTENANCE_FRAC: Final = 0.02
AHEAD_MS: Final = 1_000

_BAD_PARAMETER: Final = 10_001
_CLOCK: Final = 10_002
_BAD_KEY: Final = 10_003
_BAD_SIGN: Final = 10_004


@dataclass(frozen=True)
class Key:
    """The account's key, the same for the same seed; it can read and nothing else."""

    key: str
    secret: str


def key_of(seed: int) -> Key:
    """The key of a seed's account.

    Examples
    --------
    >>> key_of(7) == key_of(7), key_of(7) == key_of(8), len(key_of(7).key)
    (True, False, 18)
    """
    digest = hashlib.blake2b(f"simulated account {seed}".encode(), digest_size=27).hexdigest()
    return Key(digest[:18], digest[18:])


class AccountAnswers:
    """The result of each private path as a function of its parameters and the time.

    Parameters
    ----------
    live
        The market as time passes.
    key
        Who may ask.
    """

    def __init__(self, live: Live, key: Key) -> None:
        self._live = live
        self._key = key
        self.paths: dict[str, Callable[[Mapping[str, str], int], dict[str, Any]]] = {
            "/v5/account/wallet-balance": self._balances,
            "/v5/position/list": self._positions,
            "/v5/user/query-api": self._powers,
        }

    def check(self, headers: Mapping[str, str], query: str, now_ms: int) -> None:
        """Refuse whoever is not the owner of the key.

        Parameters
        ----------
        query
            The query string as it was sent.

        Raises
        ------
        Rejected
            10003 for another key, 10002 for a time outside the window, 10004 for a wrong signature.
        """
        if headers.get("X-BAPI-API-KEY") != self._key.key:
            raise Rejected("API key is invalid.", ret_code=_BAD_KEY)
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "5000")
        if not (stamp.isascii() and stamp.isdigit() and window.isascii() and window.isdigit()):
            raise Rejected("params error: timestamp is invalid", ret_code=_BAD_PARAMETER)
        if not now_ms - int(window) <= int(stamp) < now_ms + AHEAD_MS:
            words = f"invalid request, please check your server timestamp or recv_window param. req_timestamp[{stamp}]"
            raise Rejected(f"{words},server_timestamp[{now_ms}],recv_window[{window}]", ret_code=_CLOCK)
        text = f"{stamp}{self._key.key}{window}{query}"
        wanted = hmac.new(self._key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, headers.get("X-BAPI-SIGN", "")):
            raise Rejected(
                f"error sign! origin_string[{text.replace(self._key.key, '***')}]", ret_code=_BAD_SIGN
            )

    def _balances(self, asked: Mapping[str, str], now_ms: int) -> dict[str, Any]:
        if asked.get("accountType") != "UNIFIED":
            raise Rejected("accountType only support UNIFIED.", ret_code=_BAD_PARAMETER)
        profit, margin = self._profit(now_ms)
        cash = EQUITY_USD * (1.0 - math.fsum(WEIGHTS.values()))
        rows = [_coin("USDT", cash, cash + profit, 1.0, margin)]
        for base, weight in WEIGHTS.items():
            listing = self._live.find("spot", f"{base}USDT")
            if listing is not None:
                held = _whole(listing, weight)
                rows.append(_coin(base, held, held, self._price(listing, "lastPrice", now_ms), 0.0))
        equity = math.fsum(float(row["usdValue"]) for row in rows)
        return {
            "list": [
                {
                    "accountType": "UNIFIED",
                    "totalEquity": trimmed(equity, 8),
                    "totalWalletBalance": trimmed(equity - profit, 8),
                    "totalMarginBalance": trimmed(equity, 8),
                    "totalAvailableBalance": trimmed(equity - margin, 8),
                    "totalPerpUPL": trimmed(profit, 8),
                    "totalInitialMargin": trimmed(margin, 8),
                    "totalMaintenanceMargin": "",
                    "accountIMRate": "",
                    "accountMMRate": "",
                    "accountLTV": "",
                    "coin": rows,
                }
            ]
        }

    def _positions(self, asked: Mapping[str, str], now_ms: int) -> dict[str, Any]:
        if asked.get("category") != "linear":
            raise Rejected("Illegal category", ret_code=_BAD_PARAMETER)
        if not (asked.get("symbol") or asked.get("settleCoin")):
            raise Rejected("params error: symbol or settleCoin is required", ret_code=_BAD_PARAMETER)
        listing = self._held()
        wanted = asked.get("symbol") in (None, "", listing.symbol if listing else "")
        usdt = asked.get("settleCoin") in (None, "", "USDT")
        rows = [self._position(listing, now_ms)] if listing is not None and wanted and usdt else []
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    def _powers(self, _: Mapping[str, str], __: int) -> dict[str, Any]:
        return {
            "apiKey": self._key.key,
            "note": "simulated",
            "readOnly": 1,
            "permissions": {"ContractTrade": [], "Spot": [], "Wallet": [], "Options": [], "Derivatives": []},
            "ips": ["127.0.0.1"],
            "type": 1,
            "isMaster": True,
            "uta": 1,
            "deadlineDay": -2,
            "expiredAt": "",
        }

    def _held(self) -> Listing | None:
        return self._live.find("linear", f"{POSITION[0]}USDT")

    def _profit(self, now_ms: int) -> tuple[float, float]:
        """Unrealised profit and initial margin of the position."""
        listing = self._held()
        if listing is None:
            return 0.0, 0.0
        size = _whole(listing, POSITION[1])
        profit = size * (self._price(listing, "markPrice", now_ms) - listing.price)
        return profit, size * listing.price / POSITION[2]

    def _position(self, listing: Listing, now_ms: int) -> dict[str, Any]:
        size, leverage = _whole(listing, POSITION[1]), POSITION[2]
        mark = self._price(listing, "markPrice", now_ms)
        profit, margin = self._profit(now_ms)
        decimals = listing.shown_decimals
        return {
            "positionIdx": 0,
            "symbol": listing.symbol,
            "side": "Buy",
            "size": step_text(size, listing.lot_decimals),
            "avgPrice": trimmed(listing.price, decimals),
            "positionValue": trimmed(size * listing.price, 8),
            "markPrice": trimmed(mark, decimals),
            "liqPrice": trimmed(listing.price * (1.0 - 1.0 / leverage + MAINTENANCE_FRAC), decimals),
            "bustPrice": "",
            "leverage": trimmed(leverage, 2),
            "tradeMode": 0,
            "autoAddMargin": 0,
            "positionIM": trimmed(margin, 8),
            "positionMM": trimmed(size * mark * MAINTENANCE_FRAC, 8),
            "unrealisedPnl": trimmed(profit, 8),
            "cumRealisedPnl": "0",
            "positionStatus": "Normal",
            "takeProfit": "",
            "stopLoss": "",
            "createdTime": str(listing.launch_day * 86_400_000),
            "updatedTime": str(now_ms),
        }

    def _price(self, listing: Listing, name: str, now_ms: int) -> float:
        return float(self._live.summary(listing).row(now_ms)[name])


def _whole(listing: Listing, weight: float) -> float:
    """The quantity of a share of equity at the reference price, in whole lots."""
    return math.floor(weight * EQUITY_USD / listing.price / listing.lot) * listing.lot


def _coin(coin: str, held: float, equity: float, price: float, margin: float) -> dict[str, str]:
    return {
        "coin": coin,
        "equity": trimmed(equity, 8),
        "usdValue": trimmed(equity * price, 8),
        "walletBalance": trimmed(held, 8),
        "locked": "0",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": trimmed(margin, 8),
        "totalPositionMM": "",
        "unrealisedPnl": trimmed(equity - held, 8),
        "cumRealisedPnl": "0",
        "bonus": "0",
        "availableToWithdraw": "",
        "marginCollateral": "true",
        "collateralSwitch": "true",
    }
