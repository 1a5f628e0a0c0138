"""The private paths of Deribit for one seeded account that holds dollars and no position: whoever asks must sign.

References
----------
docs.deribit.com: authentication, private/get_account_summaries, private/get_positions; read on 2026-11-25.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.bybit_account import Key

EQUITY_USD: Final = 20_000.0
CURRENCIES: Final = ("BTC", "ETH", "USDC", "USDT")
KEPT_MS: Final = 60_000
"""How far the time of a request may be from the venue's."""

_SCHEME: Final = "deri-hmac-sha256 "
_UNAUTHORIZED: Final = 13_009
_MARGINS: Final = (
    "initial_margin",
    "maintenance_margin",
    "total_initial_margin_usd",
    "total_maintenance_margin_usd",
    "session_rpl",
    "session_upl",
    "total_pl",
    "options_value",
    "delta_total",
)


class AccountAnswers:
    """The result of each private path.

    Parameters
    ----------
    key
        Who may ask; the same as at the other simulated venue.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self.methods: dict[str, Callable[[Mapping[str, Any], int], Any]] = {
            "private/get_account_summaries": self._summaries,
            "private/get_positions": lambda _, __: [],
        }

    def check(self, authorization: str, where: str, now_ms: int) -> None:
        """Refuse whoever is not the owner of the key.

        Parameters
        ----------
        authorization
            The header as it was sent.
        where
            Path with query as they were sent.

        Raises
        ------
        Rejected
            13009 in every case.
        """
        parts = dict(part.partition("=")[::2] for part in authorization.removeprefix(_SCHEME).split(","))
        stamp, nonce = parts.get("ts", ""), parts.get("nonce", "")
        text = f"{stamp}\n{nonce}\nGET\n{where}\n\n"
        wanted = hmac.new(self._key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        good = (
            authorization.startswith(_SCHEME)
            and parts.get("id") == self._key.key
            and stamp.isascii()
            and stamp.isdigit()
            and abs(int(stamp) - now_ms) <= KEPT_MS
            and bool(nonce)
            and hmac.compare_digest(wanted.encode(), parts.get("sig", "").encode())
        )
        if not good:
            raise Rejected("unauthorized", ret_code=_UNAUTHORIZED)

    def _summaries(self, _: Mapping[str, Any], __: int) -> dict[str, Any]:
        rows = []
        for currency in CURRENCIES:
            held = EQUITY_USD if currency == "USDC" else 0.0
            amounts = dict.fromkeys(
                ("balance", "equity", "available_withdrawal_funds", "margin_balance"), held
            )
            rows.append(
                {"currency": currency, "available_funds": held, "total_equity_usd": EQUITY_USD}
                | amounts
                | dict.fromkeys(_MARGINS, 0.0)
                | {"cross_collateral_enabled": True, "margin_model": "cross_sm", "spot_reserve": 0.0}
            )
        return {"id": 7, "type": "main", "username": "simulated", "summaries": rows}
