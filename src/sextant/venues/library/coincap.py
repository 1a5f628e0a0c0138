"""CoinCap, version 3: reference prices in dollars, with a key and paid by credits.

References
----------
coincapapi.mintlify.app, "Codes and Error Responses"; the facts and their pages are in ``docs/reference/venues/coincap.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sextant.errors import Rejected, VenueError
from sextant.venues.broker import Limit, Policy
from sextant.venues.decoding import decode
from sextant.venues.port import Request
from sextant.venues.reference import Absent, PriceSource, ReferencePrice, Tier, Told, gathered, judged
from sextant.venues.wire import UNREADABLE, Milliseconds

NAME: Final = "coincap"
BATCH: Final = 25
CREDITS: Final = 4_000  # of the free plan, a month
COST: Final = 6.0  # one a call, and one for each 2.5 kB: 25 assets of about 450 bytes

ASSETS: Final[Mapping[str, str]] = {
    "AAVE": "aave",
    "ADA": "cardano",
    "ALGO": "algorand",
    "ATOM": "cosmos",
    "AVAX": "avalanche",
    "BCH": "bitcoin-cash",
    "BNB": "binance-coin",
    "BTC": "bitcoin",
    "DAI": "multi-collateral-dai",
    "DOGE": "dogecoin",
    "DOT": "polkadot",
    "ETC": "ethereum-classic",
    "ETH": "ethereum",
    "FIL": "filecoin",
    "LINK": "chainlink",
    "LTC": "litecoin",
    "MKR": "maker",
    "NEAR": "near-protocol",
    "SHIB": "shiba-inu",
    "SOL": "solana",
    "TRX": "tron",
    "UNI": "uniswap",
    "USDC": "usd-coin",
    "USDT": "tether",
    "VET": "vechain",
    "XLM": "stellar",
    "XMR": "monero",
    "XRP": "xrp",
    "XTZ": "tezos",
    "ZEC": "zcash",
}
"""The venue's names of assets. Asking by symbol would cost a whole list; a row of another symbol is not taken."""


class _Row(msgspec.Struct):
    id: str
    symbol: str
    price: msgspec.Raw = msgspec.field(name="priceUsd")


class _Rows(msgspec.Struct):
    timestamp: Milliseconds
    data: list[_Row]


class _Refused(msgspec.Struct):
    error: str


_ROWS: Final = msgspec.json.Decoder(_Rows)
_REFUSED: Final = msgspec.json.Decoder(_Refused)


def _weight(_: str) -> Mapping[str, float]:
    return {"calls": 1, "credits": COST}


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at CoinCap; None where it has its general meaning."""
    if status not in (400, 401, 402, 403, 404):
        return None
    try:
        words = _REFUSED.decode(body).error[:200]
    except UNREADABLE:
        return None
    reason = {401: "auth", 402: "permission", 403: "permission", 404: "unknown_symbol"}.get(status, "refused")
    return Rejected(f"CoinCap answered {status}: {words}", reason=reason, venue=NAME)


def knows(asset: str) -> bool:
    """Whether the venue's name of an asset is known here."""
    return asset in ASSETS


def request(assets: Sequence[str]) -> Request:
    """The question for assets by the venue's names of them."""
    return Request(
        "/v3/assets", (("ids", ",".join(ASSETS[asset] for asset in assets)), ("limit", str(BATCH)))
    )


def parse(body: bytes, receive_ns: int, assets: Sequence[str]) -> Told:
    """The prices of the assets asked for; all are of the one time that the answer states.

    Raises
    ------
    WireError
        If the answer lacks the documented shape, as that of the retired version does.
    """
    answer = decode(_ROWS, body, "CoinCap assets")
    meant = {ASSETS[asset]: asset for asset in assets if asset in ASSETS}
    found: dict[str, ReferencePrice | Absent] = {}
    for row in answer.data:
        asset = meant.get(row.id)
        if asset is None or row.symbol.upper() != asset:
            continue
        text = bytes(row.price).decode("utf-8", "replace").strip('"')
        found[asset] = judged(asset, text, NAME, answer.timestamp * 1_000_000, receive_ns)
    return gathered(assets, NAME, found)


PRICES: Final = PriceSource(
    name=NAME,
    tiers=(
        Tier(
            "v3",
            "https://rest.coincap.io",
            Policy(
                NAME,
                (Limit("calls", "key", 600, 60), Limit("credits", "key", CREDITS, 30 * 86_400)),
                _weight,
            ),
            "coincap_key",
            _bearer,
        ),
    ),
    request=request,
    parse=parse,
    refusal=refusal,
    batch=BATCH,
    cadence_s=60.0,
    knows=knows,
    known_gaps=(
        f"Only the {len(ASSETS)} assets are asked for whose names at the venue are known here.",
        "Credits are counted by this process alone, from its start.",
    ),
)
