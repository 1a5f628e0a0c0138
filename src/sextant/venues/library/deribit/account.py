"""What an account at Deribit holds: signed reads of all currencies and of all positions.

References
----------
docs.deribit.com: authentication (signature of single requests), private/get_account_summaries, private/get_positions;
read on 2026-11-25.
"""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec

from sextant.errors import WireError
from sextant.model.balance import Balance, Position
from sextant.model.credentials import Credentials
from sextant.model.instrument import Instrument
from sextant.model.times import MICROSECOND_NS, MILLISECOND_NS
from sextant.venues.library.deribit.instruments import EVERY
from sextant.venues.library.deribit.rest import opened
from sextant.venues.library.deribit.wire import NAME, category_of, decode
from sextant.venues.port import Accounts, Listing, PositionsPage, Request, Statement, SymbolTable

_BALANCES: Final = "/api/v2/private/get_account_summaries"
_POSITIONS: Final = "/api/v2/private/get_positions"
_LARGEST: Final = Decimal(10) ** 18
_NO_VALUE: Final = "the venue states no value"
_SIDES: Final = {"buy": 1, "sell": -1, "zero": 0}


class _Summary(msgspec.Struct):
    currency: str
    equity: Decimal
    available_funds: Decimal
    cross_collateral_enabled: bool = False
    total_equity_usd: float | None = None
    total_initial_margin_usd: float | None = None


class _Summaries(msgspec.Struct):
    summaries: list[_Summary]


class _Position(msgspec.Struct):
    instrument_name: str
    direction: Literal["buy", "sell", "zero"]
    size: Decimal
    size_currency: Decimal | None = None
    average_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    estimated_liquidation_price: Decimal | None = None
    leverage: float | None = None


_SUMMARIES: Final = msgspec.json.Decoder(_Summaries)
_ROWS: Final = msgspec.json.Decoder(list[_Position])


def sign(credentials: Credentials, now_ns: int, request: Request) -> dict[str, str]:
    """The headers that prove a read to be the key's owner's.

    Notes
    -----
    Lower-case hexadecimal HMAC-SHA256 of time, nonce, method, path with query, and the empty body, each on a line of its
    own. The nonce is the time in nanoseconds: calls of one key are made one after another.
    """
    stamp, nonce = str(now_ns // MILLISECOND_NS), str(now_ns)
    where = request.path + ("?" + urlencode(request.query) if request.query else "")
    text = f"{stamp}\n{nonce}\nGET\n{where}\n\n"
    signature = hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {
        "Authorization": f"deri-hmac-sha256 id={credentials.key},ts={stamp},sig={signature},nonce={nonce}"
    }


def balances_request() -> Request:
    """The question for every currency of the account."""
    return Request(_BALANCES, ())


def positions_request(cursor: str | None) -> Request:  # noqa: ARG001  # one page holds all
    """The question for every position, whatever it is settled in."""
    return Request(_POSITIONS, (("currency", "any"),))


def parse_balances(body: bytes) -> Statement:
    """What the account holds in every currency of which it holds anything.

    Notes
    -----
    The venue values an account in dollars only where all currencies are collateral together; what is not initial margin
    is then free. Elsewhere equity and free funds in dollars are unknown.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    result, as_of_ns = _told(body, "get_account_summaries")
    rows = decode(_SUMMARIES, result, "get_account_summaries").summaries
    whole = next((row for row in rows if row.cross_collateral_enabled), None)
    equity = None if whole is None else whole.total_equity_usd
    margin = None if whole is None else whole.total_initial_margin_usd
    return Statement(
        balances=tuple(
            Balance(
                venue=NAME,
                asset=row.currency,
                total=_bounded(row.equity),
                free=max(min(_bounded(row.available_funds), row.equity), Decimal(0)),
                value_usd=None,
                as_of_ns=as_of_ns,
                source=f"{NAME} {_BALANCES}",
                reason=_NO_VALUE,
            )
            for row in rows
            if row.equity
        ),
        equity_usd=equity,
        free_usd=None if equity is None or margin is None else max(equity - margin, 0.0),
        as_of_ns=as_of_ns,
    )


def parse_positions(body: bytes, symbols: SymbolTable) -> PositionsPage:
    """Every open position.

    Notes
    -----
    Sizes of inverse futures are in dollars and told a second time in the base asset; sizes of everything else are in the
    base asset. Prices of inverse options are in the base asset and are worth the index each.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    result, as_of_ns = _told(body, "get_positions")
    positions: list[Position] = []
    unlisted: list[str] = []
    for row in decode(_ROWS, result, "get_positions"):
        if not row.size or row.direction == "zero":
            continue
        listing = _listing(symbols, row.instrument_name)
        if listing is None:
            unlisted.append(row.instrument_name)
            continue
        inverse, option = listing.spec.style == "inverse", listing.instrument.kind == "option"
        amount = row.size_currency if inverse and not option else row.size
        if not amount:
            unlisted.append(row.instrument_name)
            continue
        quantity = _SIDES[row.direction] * abs(_bounded(amount))
        dollars = row.index_price if inverse and option else Decimal(1)
        known = row.mark_price is not None and dollars is not None
        value = float(quantity * (row.mark_price or 0) * (dollars or 0)) if known else None
        positions.append(
            Position(
                instrument=listing.instrument,
                quantity=quantity,
                entry_price=_price(row.average_price),
                liquidation_price=_price(row.estimated_liquidation_price),
                leverage=row.leverage,
                margin_usd=None,
                value_usd=value,
                as_of_ns=as_of_ns,
                source=f"{NAME} {_POSITIONS}",
                reason=None if known else "the venue states no mark price",
            )
        )
    return PositionsPage(tuple(positions), None, tuple(unlisted))


def _listing(symbols: SymbolTable, symbol: str) -> Listing | None:
    instrument: Instrument | None = symbols.instrument(category_of(symbol), symbol)
    return None if instrument is None else symbols.listing(instrument)


def _told(body: bytes, what: str) -> tuple[msgspec.Raw, int]:
    result, answered_us = opened(body, what)
    if answered_us is None:
        raise WireError(f"Deribit {what}: the answer has no time.", reason="shape", field="usOut")
    return result, answered_us * MICROSECOND_NS


def _price(value: Decimal | None) -> Decimal | None:
    """A price; the venue says 0 where there is none."""
    return value if value is not None and 0 < value < _LARGEST else None


def _bounded(value: Decimal) -> Decimal:
    if not (value.is_finite() and abs(value) < _LARGEST):
        raise WireError("Deribit account: an amount is out of range.", reason="value", field="")
    return value


ACCOUNTS: Final = Accounts(
    sign=sign,
    balances_request=balances_request,
    parse_balances=parse_balances,
    category=EVERY,
    positions_request=positions_request,
    parse_positions=parse_positions,
)
