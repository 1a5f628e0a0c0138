"""Options as tests of the market state and of strategies need them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sextant.model.events import Listed, OptionUpdate
from sextant.model.instrument import Instrument, InstrumentSpec, Right, Status, Style
from sextant.model.times import DAY_NS

EXPIRY_NS = 20_000 * DAY_NS + 8 * 3_600 * 1_000_000_000


def option(
    strike: int | str = 60_000, right: Right = "call", *, expiry_ns: int = EXPIRY_NS, base: str = "BTC"
) -> Instrument:
    return Instrument("deribit", base, "USD", "option", expiry_ns, Decimal(strike), right)


def option_spec(
    instrument: Instrument,
    *,
    tick: str = "0.0001",
    lot: str = "0.1",
    style: Style = "inverse",
    status: Status = "trading",
) -> InstrumentSpec:
    return InstrumentSpec(
        instrument=instrument,
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_notional=None,
        contract_size=Decimal(1),
        status=status,
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=1,
        style=style,
    )


def option_listed(instrument: Instrument, event_ns: int = 1, **rules: Any) -> Listed:
    return Listed(option_spec(instrument, **rules), event_ns, event_ns)


def quoted(instrument: Instrument, event_ns: int, **facts: float | None) -> OptionUpdate:
    return OptionUpdate(instrument, event_ns, event_ns, **facts)
