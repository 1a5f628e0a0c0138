from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sextant.errors import InputError
from sextant.model.opportunity import Leg, Opportunity, Transfer
from support import scans as make


@pytest.mark.parametrize(("quantity", "price"), [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "-1")])
def test_a_leg_of_no_quantity_or_no_price_cannot_exist(quantity: str, price: str) -> None:
    facts = msgspec.structs.asdict(make.opportunity().legs[0])
    with pytest.raises(InputError, match="both must be above 0"):
        Leg(**(facts | {"quantity": Decimal(quantity), "price": Decimal(price)}))


def test_an_opportunity_survives_the_database() -> None:
    row = make.opportunity()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Opportunity) == row


@pytest.mark.parametrize(
    ("quantity", "value_usd", "to_venue"), [("0", 1.0, "kraken"), ("1", 0.0, "kraken"), ("1", 1.0, "bybit")]
)
def test_a_transfer_of_nothing_or_to_itself_cannot_exist(
    quantity: str, value_usd: float, to_venue: str
) -> None:
    with pytest.raises(InputError, match=r"transfer of"):
        Transfer("USDT", Decimal(quantity), "bybit", to_venue, value_usd, None, None)
