"""What is refused of a source's words, and what a price carries."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.venues.reference import Absent, PriceSource, ReferencePrice, gathered, judged, price_of

NOW_NS = 1_790_000_010_000_000_000
SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    "text",
    ["", "null", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "-1", "+1", "0", "0.0", "1" * 60, "1e30", "1,5", " 1", "0x1", "1e", ".5", "1."],
)  # fmt: skip
def test_what_is_no_number_of_a_market_is_refused(text: str) -> None:
    assert price_of(text) is None
    refused = judged("BTC", text, "here", NOW_NS, NOW_NS)
    assert isinstance(refused, Absent)
    assert (refused.reason, refused.asset) == ("bad_number", "BTC")


@pytest.mark.parametrize("text", ["65000", "65000.1", "0.000000000000000001", "1.7e-7", "999999999999", "60310.6888208343493939"])  # fmt: skip
def test_a_price_is_kept_exactly_as_it_is_written(text: str) -> None:
    assert price_of(text) == Decimal(text)


@given(st.text(max_size=80))
def test_no_text_makes_an_endless_or_negative_price(text: str) -> None:
    value = price_of(text)
    assert value is None or (value.is_finite() and 0 < value <= 10**12)


def test_a_price_knows_its_age_and_is_never_younger_than_now() -> None:
    price = judged("BTC", "65000", "here", NOW_NS - 30 * SECOND_NS, NOW_NS)
    assert isinstance(price, ReferencePrice)
    assert (price.source, price.as_of_ns, price.age_s(NOW_NS + 12 * SECOND_NS)) == (
        "here",
        NOW_NS - 30 * SECOND_NS,
        42.0,
    )
    assert price.age_s(NOW_NS - 60 * SECOND_NS) == 0.0


@pytest.mark.parametrize(("ago_s", "words"), [(3_601, "for 3601 s"), (-61, "61 s into the future")])
def test_a_price_of_another_hour_is_none_of_now(ago_s: int, words: str) -> None:
    refused = judged("BTC", "65000", "here", NOW_NS - ago_s * SECOND_NS, NOW_NS)
    assert isinstance(refused, Absent)
    assert refused.reason == "stale"
    assert words in refused.detail


def test_every_asset_asked_for_is_either_priced_or_absent() -> None:
    price = judged("BTC", "65000", "here", NOW_NS, NOW_NS)
    told = gathered(["BTC", "NONE", "BTC"], "here", {"BTC": price})
    assert [each.asset for each in told.prices] == ["BTC"]
    assert [(each.asset, each.reason) for each in told.absent] == [("NONE", "unknown_asset")]


def test_a_source_that_is_not_asked_says_nothing() -> None:
    source = PriceSource("gone", retired="It ended.")
    assert (source.tiers, source.request([]).path, source.refusal(401, b"")) == ((), "", None)
    assert source.parse(b"", 0, []).prices == ()
    assert source.knows("BTC")
