"""What a pair of Kraken is and by which rules it trades, from REST and from the channel of instruments alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from sextant.model.instrument import Instrument, InstrumentSpec, Status
from sextant.venues.library.kraken.wire import NAME
from sextant.venues.wire import step

_STATUS: Final[dict[str, Status]] = {"online": "trading", "delisted": "delisted"}


class Pair(msgspec.Struct, gc=False):
    """One row of the channel of instruments."""

    symbol: str
    base: str
    quote: str
    status: str
    price_increment: Decimal
    qty_increment: Decimal
    cost_min: Decimal | None = None


def spec_of(pair: Pair, as_of_ns: int) -> InstrumentSpec:
    """The rules of a pair; any status but online and delisted restricts trading and is told as halted.

    Raises
    ------
    WireError
        If a step is no number of a market.
    InputError
        If the model cannot hold the pair.
    """
    where = "Kraken instrument"
    return InstrumentSpec(
        instrument=Instrument(NAME, pair.base, pair.quote, "spot"),
        tick=step(str(pair.price_increment), where, "price_increment"),
        lot=step(str(pair.qty_increment), where, "qty_increment"),
        min_notional=None if pair.cost_min is None else step(str(pair.cost_min), where, "cost_min"),
        contract_size=Decimal(1),
        status=_STATUS.get(pair.status, "halted"),
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=as_of_ns,
    )
