"""What an account at Bybit holds: signed reads of the unified account and of linear positions.

References
----------
bybit-exchange/docs at 072c197: ``docs/v5/guide.mdx`` (signing), ``docs/v5/account/wallet-balance.mdx``,
``docs/v5/position/position.mdx``.
"""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import urlencode

import msgspec

from sextant.errors import WireError
from sextant.model.balance import Balance, Position
from sextant.model.credentials import Credentials
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.bybit.rest import opened
from sextant.venues.library.bybit.wire import NAME, decode
from sextant.venues.port import Accounts, PositionsPage, Request, Statement, SymbolTable

RECV_WINDOW_MS: Final = 5_000
POSITION_ROWS: Final = 200

_BALANCES_SOURCE: Final = "bybit /v5/account/wallet-balance"
_POSITIONS_SOURCE: Final = "bybit /v5/position/list"
_LARGEST: Final = Decimal(10) ** 18
_SIDES: Final = {"Buy": 1, "Sell": -1}


class _Coin(msgspec.Struct):
    coin: str
    equity: str
    walletBalance: str = ""  # noqa: N815  # Bybit's own names, here and below
    locked: str = ""
    usdValue: str = ""  # noqa: N815


class _Account(msgspec.Struct):
    coin: list[_Coin]
    totalEquity: str = ""  # noqa: N815
    totalAvailableBalance: str = ""  # noqa: N815


class _Accounts(msgspec.Struct):
    rows: list[_Account] = msgspec.field(name="list")


class _Position(msgspec.Struct):
    symbol: str
    side: str
    size: str
    avgPrice: str = ""  # noqa: N815
    markPrice: str = ""  # noqa: N815
    liqPrice: str = ""  # noqa: N815
    leverage: str = ""
    positionIM: str = ""  # noqa: N815


class _Positions(msgspec.Struct):
    rows: list[_Position] = msgspec.field(name="list")
    category: str
    nextPageCursor: str = ""  # noqa: N815


_ACCOUNTS: Final = msgspec.json.Decoder(_Accounts)
_POSITIONS: Final = msgspec.json.Decoder(_Positions)


def sign(credentials: Credentials, now_ns: int, request: Request) -> dict[str, str]:
    """The headers that prove a read to be the key's owner's.

    Notes
    -----
    Lower-case hexadecimal HMAC-SHA256 of timestamp + key + window + query; the venue takes it from ``window`` before
    its own time to a second after it.
    """
    timestamp = str(now_ns // MILLISECOND_NS)
    window = str(RECV_WINDOW_MS)
    text = timestamp + credentials.key + window + urlencode(request.query)
    return {
        "X-BAPI-API-KEY": credentials.key,
        "X-BAPI-TIMESTAMP": timestamp,
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).hexdigest(),
    }


def balances_request() -> Request:
    """The question for every asset of the unified account."""
    return Request("/v5/account/wallet-balance", (("accountType", "UNIFIED"),))


def positions_request(cursor: str | None) -> Request:
    """The question for one page of the positions settled in USDT."""
    query = (("category", "linear"), ("settleCoin", "USDT"), ("limit", str(POSITION_ROWS)))
    return Request("/v5/position/list", query if cursor is None else (*query, ("cursor", cursor)))


def parse_balances(body: bytes) -> Statement:
    """What the unified account holds.

    Notes
    -----
    The total of an asset is its equity, which nets loans; an empty text is no number, and an asset without equity is left
    out. What is locked in orders is not free; the account's available balance bounds the rest.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    envelope = opened(body, "wallet-balance")
    accounts = decode(_ACCOUNTS, envelope.result, "wallet-balance")
    as_of_ns = envelope.time * MILLISECOND_NS
    balances: list[Balance] = []
    equity = available = None
    for account in accounts.rows:
        equity = _number(account.totalEquity)
        available = _number(account.totalAvailableBalance)
        for coin in account.coin:
            total = _number(coin.equity)
            if total is None:
                continue
            value = _number(coin.usdValue)
            balances.append(
                Balance(
                    venue=NAME,
                    asset=coin.coin,
                    total=total,
                    free=_free(coin, total),
                    value_usd=None if value is None else float(value),
                    as_of_ns=as_of_ns,
                    source=_BALANCES_SOURCE,
                    reason="the venue states no value" if value is None else None,
                )
            )
    return Statement(
        balances=tuple(balances),
        equity_usd=None if equity is None else float(equity),
        free_usd=None if available is None else float(available),
        as_of_ns=as_of_ns,
    )


def parse_positions(body: bytes, symbols: SymbolTable) -> PositionsPage:
    """One page of open positions; empty sides of the hedge mode are none.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    envelope = opened(body, "position list")
    page = decode(_POSITIONS, envelope.result, "position list")
    positions: list[Position] = []
    unlisted: list[str] = []
    for row in page.rows:
        size, sign_of = _number(row.size), _SIDES.get(row.side)
        if not size or sign_of is None:
            continue
        instrument = symbols.instrument(page.category, row.symbol)
        if instrument is None:
            unlisted.append(row.symbol)
            continue
        mark = _number(row.markPrice)
        leverage, margin = _number(row.leverage), _number(row.positionIM)
        positions.append(
            Position(
                instrument=instrument,
                quantity=sign_of * size,
                entry_price=_price(row.avgPrice),
                liquidation_price=_price(row.liqPrice),
                leverage=None if leverage is None else float(leverage),
                margin_usd=None if margin is None else float(margin),
                value_usd=None if mark is None else float(sign_of * size * mark),
                as_of_ns=envelope.time * MILLISECOND_NS,
                source=_POSITIONS_SOURCE,
                reason="the venue states no mark price" if mark is None else None,
            )
        )
    return PositionsPage(tuple(positions), page.nextPageCursor or None, tuple(unlisted))


def _free(coin: _Coin, total: Decimal) -> Decimal | None:
    held, locked = _number(coin.walletBalance), _number(coin.locked)
    if held is None:
        return None
    return max(min(held, total) - (locked or Decimal(0)), Decimal(0))


def _price(text: str) -> Decimal | None:
    """A price; the venue writes 0 and the empty text for "none"."""
    return _number(text) or None


def _number(text: str) -> Decimal | None:
    """A number of the wire; None for the empty text.

    Raises
    ------
    WireError
        If it is neither.
    """
    if text == "":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise WireError(f"Bybit account: '{text[:40]}' is no number.", reason="value", field="") from None
    if not value.is_finite() or abs(value) >= _LARGEST:
        raise WireError(f"Bybit account: {text[:40]} is out of range.", reason="value", field="")
    return value


ACCOUNTS: Final = Accounts(
    sign=sign,
    balances_request=balances_request,
    parse_balances=parse_balances,
    category="linear",
    positions_request=positions_request,
    parse_positions=parse_positions,
)
