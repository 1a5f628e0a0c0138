"""What an account holds: balances of assets and positions in derivatives, each with source, time and value or the reason it has none."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec

from sextant.errors import InputError
from sextant.model.instrument import Instrument


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """An asset at one venue.

    Parameters
    ----------
    venue, asset
        Where, and the asset's code in upper case.
    total
        Free and locked together, net of loans; below 0 where more is owed than held.
    free
        What may be sold or moved now; None where the venue does not say.
    value_usd
        Value by the venue's own price, signed as ``total``; None where it states none.
    as_of_ns
        When it was true at the source.
    source
        Which call or entry states it.
    reason
        Why there is no value; None exactly where there is one.

    Raises
    ------
    InputError
        If an amount is no finite number, or a value and the reason of its absence contradict each other.
    """

    venue: str
    asset: str
    total: Decimal
    free: Decimal | None
    value_usd: float | None
    as_of_ns: int
    source: str
    reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a balance."""
        for name, amount in (("total", self.total), ("free", self.free)):
            if amount is not None and not amount.is_finite():
                raise InputError(
                    f"The {name} of {self.asset} at {self.venue} is {amount}; it must be finite.", field=name
                )
        _valued(f"{self.asset} at {self.venue}", self.value_usd, self.reason)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open derivative or margin trade.

    Parameters
    ----------
    instrument
        What is held.
    quantity
        Base units, above 0 long and below 0 short.
    entry_price, liquidation_price
        Quote units; None where the venue states none.
    leverage, margin_usd
        As the venue states them; None where it does not.
    value_usd
        Quantity at the venue's mark price, signed as ``quantity``; None where there is no mark.
    as_of_ns, source, reason
        See :class:`Balance`.

    Raises
    ------
    InputError
        If the quantity is 0 or not finite, a price is not above 0, or value and reason contradict each other.
    """

    instrument: Instrument
    quantity: Decimal
    entry_price: Decimal | None
    liquidation_price: Decimal | None
    leverage: float | None
    margin_usd: float | None
    value_usd: float | None
    as_of_ns: int
    source: str
    reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a position."""
        if not self.quantity.is_finite() or self.quantity == 0:
            raise InputError(
                f"A position in {self.instrument} has quantity {self.quantity}.", field="quantity"
            )
        for name, price in (("entry_price", self.entry_price), ("liquidation_price", self.liquidation_price)):
            if price is not None and not (price.is_finite() and price > 0):
                raise InputError(f"The {name} of a position in {self.instrument} is {price}.", field=name)
        _valued(str(self.instrument), self.value_usd, self.reason)


def _valued(what: str, value_usd: float | None, reason: str | None) -> None:
    if value_usd is not None and not math.isfinite(value_usd):
        raise InputError(f"The value of {what} is {value_usd} USD.", field="value_usd")
    if (value_usd is None) == (reason is None):
        raise InputError(
            f"The value of {what} is {value_usd} USD with the reason '{reason}'; exactly one must be given.",
            field="reason",
        )
