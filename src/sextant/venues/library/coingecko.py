"""CoinGecko: reference prices in dollars, without a key, with one of the demo plan, or with one of a paid plan.

References
----------
docs.coingecko.com, "Coins List with Market Data" and "Errors & Rate Limits"; the facts and their pages are in
``docs/reference/venues/coingecko.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import msgspec

from sextant.errors import Rejected, Throttled, VenueError
from sextant.venues.broker import Limit, Policy
from sextant.venues.decoding import decode
from sextant.venues.port import Request
from sextant.venues.reference import Absent, PriceSource, ReferencePrice, Tier, Told, gathered, judged
from sextant.venues.wire import UNREADABLE, Moment, moment_ns

NAME: Final = "coingecko"
PUBLIC: Final = "https://api.coingecko.com"
PAID: Final = "https://pro-api.coingecko.com"
BATCH: Final = 250

BLOCKED_S: Final = 600.0  # the network in front states no time; it is left alone for ten minutes
_MONTH_S: Final = 30 * 86_400
_MINUTE_S: Final = 60
_WRONG_HOST: Final = (10_010, 10_011)
_NO_KEY: Final = 10_002
_NOT_IN_PLAN: Final = 10_005


class _Row(msgspec.Struct):
    id: str
    symbol: str
    current_price: msgspec.Raw
    last_updated: Moment | None
    market_cap_rank: int | None = None


class _Status(msgspec.Struct):
    error_code: Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]
    error_message: str = ""


class _Refused(msgspec.Struct):
    status: _Status


_ROWS: Final = msgspec.json.Decoder(list[_Row])
_REFUSED: Final = msgspec.json.Decoder(_Refused)


def _one(_: str) -> Mapping[str, float]:
    """Every call counts as one, those that fail, too."""
    return {"calls": 1, "month": 1}


def _alone(_: str) -> Mapping[str, float]:
    """Every call counts as one of the address."""
    return {"calls": 1}


def _keyed(kind: str) -> Callable[[str], Mapping[str, str]]:
    return lambda key: {f"x-cg-{kind}-api-key": key}


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at CoinGecko; None where it has its general meaning."""
    if status == 403 and b"1020" in body:
        return Throttled(
            "CoinGecko's front blocks this address (1020).", retry_after_s=BLOCKED_S, reason="ban", venue=NAME
        )
    if status not in (400, 401, 403):
        return None
    try:
        told = _REFUSED.decode(body).status
    except UNREADABLE:
        return None
    message = f"CoinGecko answered {told.error_code}: {told.error_message[:200]}"
    if told.error_code == _NOT_IN_PLAN:
        return Rejected(message, reason="permission", venue=NAME)
    if told.error_code == _NO_KEY or told.error_code in _WRONG_HOST:
        return Rejected(message, reason="auth", venue=NAME)
    return Rejected(message, reason="refused", venue=NAME)


def request(assets: Sequence[str]) -> Request:
    """The question for assets by their symbols; of each symbol the venue gives the largest asset alone."""
    return Request(
        "/api/v3/coins/markets",
        (
            ("vs_currency", "usd"),
            ("symbols", ",".join(asset.lower() for asset in assets)),
            ("include_tokens", "top"),
            ("per_page", str(BATCH)),
            ("precision", "full"),
        ),
    )


def parse(body: bytes, receive_ns: int, assets: Sequence[str]) -> Told:
    """The prices of the assets asked for; of two that carry one symbol the larger.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    wanted = set(assets)
    rows = decode(_ROWS, body, "CoinGecko markets")
    rows.sort(key=lambda row: (row.market_cap_rank is None, row.market_cap_rank or 0))
    found: dict[str, ReferencePrice | Absent] = {}
    for row in rows:
        asset = row.symbol.upper()
        if asset not in wanted or asset in found:
            continue
        if row.last_updated is None:
            found[asset] = Absent(asset, "bad_number", f"{NAME} gives {row.id[:40]} no time.")
            continue
        as_of_ns = moment_ns(row.last_updated, "CoinGecko markets", "last_updated")
        text = bytes(row.current_price).decode("utf-8", "replace")
        found[asset] = judged(asset, text, NAME, as_of_ns, receive_ns)
    return gathered(assets, NAME, found)


PRICES: Final = PriceSource(
    name=NAME,
    tiers=(
        Tier(
            "pro",
            PAID,
            Policy(
                NAME, (Limit("calls", "key", 500, _MINUTE_S), Limit("month", "key", 500_000, _MONTH_S)), _one
            ),
            "coingecko_pro_key",
            _keyed("pro"),
        ),
        Tier(
            "demo",
            PUBLIC,
            # The present page says 100 a minute, many copies 30.
            Policy(
                NAME, (Limit("calls", "key", 30, _MINUTE_S), Limit("month", "key", 10_000, _MONTH_S)), _one
            ),
            "coingecko_demo_key",
            _keyed("demo"),
        ),
        # No number is published for callers without a key; five a minute is the least that is reported.
        Tier("keyless", PUBLIC, Policy(NAME, (Limit("calls", "address", 5, _MINUTE_S),), _alone)),
    ),
    request=request,
    parse=parse,
    refusal=refusal,
    batch=BATCH,
    cadence_s=60.0,
    known_gaps=(
        "An asset is found by its symbol: of several that carry one symbol the largest is meant.",
        "The month of a plan is counted by this process alone, from its start.",
    ),
)
