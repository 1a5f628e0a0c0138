"""Instruments are identities (venue, base, quote, kind, expiry, strike, right), never bare symbols."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, get_args

import msgspec

from sextant.errors import InputError
from sextant.model.times import SECOND_NS

Kind = Literal["spot", "perpetual", "future", "option"]
Right = Literal["call", "put"]
Status = Literal["trading", "halted", "delisted"]
Style = Literal["linear", "inverse"]

STABLE_ASSETS: Final = frozenset(
    {"USDT", "USDC", "DAI", "FDUSD", "TUSD", "BUSD", "USDP", "USDD", "PYUSD", "USDE"}
)
"""Assets that promise to be worth one US dollar; their pairs against each other carry no direction."""

FIAT_ASSETS: Final = frozenset({"USD", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD", "CAD", "CHF"})

_ASSET: Final = re.compile(r"[A-Z0-9$._]{1,32}")
_VENUE: Final = re.compile(r"[a-z0-9_]{1,32}")


def is_dollar(asset: str) -> bool:
    """Whether one unit counts as one US dollar."""
    return asset == "USD" or asset in STABLE_ASSETS


class Instrument(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """What trades at one venue.

    Parameters
    ----------
    venue
        Lower-case name of the venue, as ``bybit``.
    base, quote
        Asset codes in upper case, as ``BTC`` and ``USDT``.
    kind
        spot, perpetual, future or option.
    expiry_ns
        Settlement time; futures and options only.
    strike
        Strike price in quote units; options only.
    right
        call or put; options only.

    Raises
    ------
    InputError
        If a part is malformed, missing for the kind, or not allowed for it.
    """

    venue: str
    base: str
    quote: str
    kind: Kind
    expiry_ns: int | None = None
    strike: Decimal | None = None
    right: Right | None = None

    def __post_init__(self) -> None:
        """Refuse parts that cannot name an instrument."""
        if not _VENUE.fullmatch(self.venue):
            raise InputError(
                f"Venue '{self.venue}' is not a lower-case name of 1..32 characters.", field="venue"
            )
        for name, asset in (("base", self.base), ("quote", self.quote)):
            if not _ASSET.fullmatch(asset):
                raise InputError(
                    f"The {name} asset '{asset}' is not an upper-case code of 1..32 characters.", field=name
                )
        if self.kind not in get_args(Kind):
            raise InputError(f"Kind '{self.kind}' is none of {', '.join(get_args(Kind))}.", field="kind")
        dated = self.kind in ("future", "option")
        if dated != (self.expiry_ns is not None):
            raise InputError(f"A {self.kind} {'needs an' if dated else 'has no'} expiry.", field="expiry_ns")
        optional = self.kind == "option"
        if optional != (self.strike is not None) or optional != (self.right is not None):
            raise InputError(
                f"A {self.kind} {'needs' if optional else 'has no'} strike and right.", field="strike"
            )
        if self.strike is not None and not (self.strike.is_finite() and self.strike > 0):
            raise InputError(f"Strike {self.strike} is not above 0.", field="strike")

    def __str__(self) -> str:
        """The identifier used in the API: ``venue:BASE-QUOTE:kind[:expiry[:strike:right]]``."""
        text = f"{self.venue}:{self.base}-{self.quote}:{self.kind}"
        if self.expiry_ns is not None:
            day = datetime.datetime.fromtimestamp(self.expiry_ns // SECOND_NS, tz=datetime.UTC)
            text += f":{day:%Y-%m-%d}"
        if self.strike is not None:
            text += f":{self.strike.normalize():f}:{self.right}"
        return text


def parse_instrument(text: str, *, expiry_hour: int = 8) -> Instrument:
    """The instrument named by an API identifier.

    Parameters
    ----------
    text
        ``venue:BASE-QUOTE:kind[:expiry[:strike:right]]``.
    expiry_hour
        Hour UTC at which dated instruments settle; the identifier carries only the day.

    Raises
    ------
    InputError
        If the text is not such an identifier.

    Examples
    --------
    >>> str(parse_instrument("bybit:BTC-USDT:perpetual"))
    'bybit:BTC-USDT:perpetual'
    """
    parts = text.split(":")
    base, dash, quote = parts[1].partition("-") if len(parts) > 1 else ("", "", "")
    if len(parts) not in (3, 4, 6) or not dash:
        raise InputError(
            f"'{text}' is not venue:BASE-QUOTE:kind[:expiry[:strike:right]].", reason="out_of_range"
        )
    try:
        day = (
            datetime.datetime.strptime(parts[3], "%Y-%m-%d").replace(tzinfo=datetime.UTC)
            if len(parts) > 3
            else None
        )
        strike = Decimal(parts[4]) if len(parts) == 6 else None
    except (ValueError, InvalidOperation):
        raise InputError(f"'{text}' has an unreadable expiry or strike.", reason="out_of_range") from None
    expiry_ns = None if day is None else (int(day.timestamp()) + expiry_hour * 3600) * SECOND_NS
    right = parts[5] if len(parts) == 6 else None
    return Instrument(parts[0], base, quote, parts[2], expiry_ns, strike, right)  # type: ignore[arg-type]  # checked there


def matches(pattern: str, instrument: Instrument) -> bool:
    """Whether ``BTC``, ``BTC/USDT``, ``BTC-USDT`` or an instrument id names the instrument, whatever its case.

    Examples
    --------
    >>> perpetual = Instrument("bybit", "BTC", "USDT", "perpetual")
    >>> [matches(text, perpetual) for text in ("btc", "BTC/USDT", "btc-usdt", "bybit:BTC-USDT:perpetual", "ETH")]
    [True, True, True, True, False]
    """
    wanted = pattern.strip().upper()
    if ":" in wanted:
        return wanted == str(instrument).upper()
    couple = wanted.replace("/", "-")
    return couple in (instrument.base, f"{instrument.base}-{instrument.quote}")


class InstrumentSpec(msgspec.Struct, frozen=True):
    """The trading rules of an instrument, as its venue publishes them.

    Parameters
    ----------
    instrument
        Whose rules these are.
    tick, lot
        Smallest steps of price (quote units) and quantity (base units), both above 0.
    min_notional
        Smallest order value in quote units; None where the venue publishes none.
    contract_size
        Base units of one contract; 1 for spot.
    status
        trading, halted or delisted.
    funding_interval_s
        True interval of the perpetual's funding; None for other kinds or where unpublished.
    max_leverage
        Largest leverage the venue allows; None for spot or where unpublished.
    as_of_ns
        When the rules were read from the venue.
    style
        linear: settled in the quote asset. inverse: settled in the base asset; prices and ticks of an inverse
        option are in base units, lots and contracts of an inverse perpetual or future in quote units.
    """

    instrument: Instrument
    tick: Decimal
    lot: Decimal
    min_notional: Decimal | None
    contract_size: Decimal
    status: Status
    funding_interval_s: int | None
    max_leverage: Decimal | None
    as_of_ns: int
    style: Style = "linear"

    def __post_init__(self) -> None:
        """Refuse steps that cannot divide a price or a quantity."""
        for name, step in (("tick", self.tick), ("lot", self.lot), ("contract_size", self.contract_size)):
            if not (step.is_finite() and step > 0):
                raise InputError(
                    f"The {name} of {self.instrument} is {step}; it must be above 0.", field=name
                )
        if self.min_notional is not None and not (self.min_notional.is_finite() and self.min_notional >= 0):
            raise InputError(
                f"The min_notional of {self.instrument} is {self.min_notional}; it must be 0 or above."
            )
        if self.funding_interval_s is not None and self.funding_interval_s <= 0:
            raise InputError(
                f"The funding interval of {self.instrument} is {self.funding_interval_s} s; it must be above 0."
            )
