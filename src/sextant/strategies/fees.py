"""Entry-tier fees of the venues, as strategies.md 1.6 lists them; an account's own tiers come first.

The rows move to the venues' own plug-ins when those state them; an account whose tier the venue confirmed
brings it along in ``Account.fees``, and then nothing here is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.model.account import Account, FeeTier
from sextant.model.instrument import Instrument

_READ_ON: Final = "day not recorded"

_PAGES: Final = {
    "binance": "https://www.binance.com/en/fee/schedule",
    "bybit": "https://www.bybit.com/en/help-center/article/Trading-Fee-Structure",
    "kraken": "https://www.kraken.com/features/fee-schedule",
    "kucoin": "https://www.kucoin.com/vip/privilege",
    "coinbase": "https://www.coinbase.com/advanced-fees",
    "deribit": "https://www.deribit.com/kb/fees",
}

_ENTRY_BPS: Final[dict[tuple[str, str], tuple[float, float, str]]] = {
    # (venue, kind): maker bps, taker bps, tier
    ("binance", "spot"): (10.0, 10.0, "entry"),
    ("binance", "perpetual"): (2.0, 5.0, "entry"),
    ("binance", "future"): (2.0, 5.0, "entry"),
    ("bybit", "spot"): (10.0, 10.0, "entry"),
    ("bybit", "perpetual"): (2.0, 5.5, "entry"),
    ("bybit", "future"): (2.0, 5.5, "entry"),
    ("bybit", "option"): (2.0, 3.0, "entry"),
    ("kraken", "spot"): (25.0, 40.0, "entry"),
    ("kraken", "perpetual"): (2.0, 5.0, "entry"),
    ("kraken", "future"): (2.0, 5.0, "entry"),
    ("kucoin", "spot"): (10.0, 10.0, "entry, class A"),
    ("kucoin", "perpetual"): (2.0, 6.0, "entry"),
    ("kucoin", "future"): (2.0, 6.0, "entry"),
    ("coinbase", "spot"): (40.0, 60.0, "from 10,000 USD a month"),
    ("deribit", "perpetual"): (0.0, 5.0, "entry"),
    ("deribit", "future"): (0.0, 5.0, "entry"),
    ("deribit", "option"): (3.0, 3.0, "entry"),
}


def fee_tier(account: Account, instrument: Instrument) -> FeeTier | None:
    """The fees of an account at an instrument: its own tier, else the venue's entry tier, marked assumed.

    Returns
    -------
    FeeTier or None
        None where neither is known; then nothing can be said about costs.
    """
    return tier_of(account.fees, instrument)


def tier_of(fees: Mapping[str, FeeTier], instrument: Instrument) -> FeeTier | None:
    """The fees at an instrument where some tiers are known by ``venue:kind``; else as :func:`fee_tier`."""
    own = fees.get(f"{instrument.venue}:{instrument.kind}")
    if own is not None:
        return own
    row = _ENTRY_BPS.get((instrument.venue, instrument.kind))
    if row is None:
        return None
    maker_bps, taker_bps, tier = row
    return FeeTier(
        venue=instrument.venue,
        kind=instrument.kind,
        tier=tier,
        maker_bps=maker_bps,
        taker_bps=taker_bps,
        assumed=True,
        source=_PAGES[instrument.venue],
        read_on=_READ_ON,
    )


_DELIVERY_BPS: Final = {
    "bybit": 5.0,  # help.bybit.com, Trading and Settlement Fees (Futures Contract)
    "deribit": 2.5,  # deribit.com/docs/contract-specifications, delivery fee of futures
}


def delivery_bps(instrument: Instrument) -> float | None:
    """What settling a dated future at its expiry costs, basis points of its notional; None where no page is known."""
    return _DELIVERY_BPS.get(instrument.venue) if instrument.kind == "future" else None
