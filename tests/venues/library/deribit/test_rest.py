from __future__ import annotations

import math
from typing import Any

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, WireError
from sextant.model.events import DerivativesUpdate, FundingSettled, OptionUpdate, QuoteUpdate
from sextant.model.times import DAY_NS, HOUR_NS
from sextant.venues.library.deribit import rest
from support.deribit_answers import (
    BARS,
    CALL_SUMMARY,
    FUNDING,
    OUT_US,
    PERPETUAL_SUMMARY,
    answer,
    error,
)
from support.deribit_listings import BY_NAME, CALL, PERPETUAL, TABLE

MS = 1_000_000
AT = OUT_US * 1_000 + 5


def test_summaries_give_quotes_without_sizes() -> None:
    unknown = {**CALL_SUMMARY, "instrument_name": "BTC-1JAN30-1-C"}
    events = rest.parse_quotes(answer([CALL_SUMMARY, PERPETUAL_SUMMARY, unknown]), AT, TABLE)
    option, quote, derivatives = events
    when = 1_782_552_297_600 * MS
    assert option == OptionUpdate(
        CALL,
        when,
        AT,
        bid=0.006,
        ask=0.007,
        mark=0.0067,
        mark_iv=0.2101,
        forward=60_245.57,
        index=60_245.6,
        last=None,
        open_interest=139.1,
        volume_24h=130.6,
    )
    assert quote == QuoteUpdate(PERPETUAL, when, AT, bid=60_250.0, ask=60_250.5)
    assert isinstance(derivatives, DerivativesUpdate)
    assert (derivatives.open_interest, derivatives.turnover_24h) == (15_000.0, 420_000_000.0)
    assert (derivatives.change_24h_frac, derivatives.funding_rate) == (0.015, 0.000005)


def test_bars_are_final_when_their_interval_ended_before_the_answer() -> None:
    block = rest.parse_bars(answer(BARS), AT, PERPETUAL, "1d")
    assert block.open_ns.tolist() == [1_782_345_600_000 * MS, 1_782_432_000_000 * MS]
    assert block.close[:, 0].tolist() == [60_000.0, 60_500.0]
    assert block.volume[:, 0].tolist() == [100.0, 0.0]
    assert block.quote_volume[:, 0].tolist() == [6_000_000.0, 0.0]
    assert math.isnan(block.taker_buy_volume[0, 0])


def test_no_data_is_no_bars() -> None:
    assert len(rest.parse_bars(answer({"status": "no_data"}), AT, PERPETUAL, "1d").open_ns) == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"low": [1.0]}, "columns of different length"),
        ({"low": [59_500.0, 59_500.0, 60_000.0]}, "breaks low <= open, close <= high"),
        ({"ticks": [1_782_345_600_001, 1_782_432_000_000, 1_782_518_400_000]}, "multiples of 1d"),
        ({"close": [0.0, 60_500.0, 60_250.0]}, "close"),
    ],
)
def test_bars_that_cannot_be_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(WireError, match=why):
        rest.parse_bars(answer({**BARS, **changes}), AT, PERPETUAL, "1d")


def test_bars_are_asked_for_by_their_first_and_last_time() -> None:
    end_ns = 20_000 * DAY_NS + 5
    asked = rest.bars_request(BY_NAME["BTC-PERPETUAL"], "1d", end_ns, 3)
    assert asked.path == "/api/v2/public/get_tradingview_chart_data"
    assert dict(asked.query) == {
        "instrument_name": "BTC-PERPETUAL",
        "start_timestamp": str(19_998 * DAY_NS // MS),
        "end_timestamp": str(20_000 * DAY_NS // MS),
        "resolution": "1D",
    }


def test_funding_of_each_hour_comes_oldest_first() -> None:
    assert rest.parse_funding(answer(FUNDING), AT, PERPETUAL) == [
        FundingSettled(PERPETUAL, 1_782_547_200_000 * MS, AT, -0.000001),
        FundingSettled(PERPETUAL, 1_782_550_800_000 * MS, AT, 0.000005),
    ]
    asked = rest.funding_request(BY_NAME["BTC-PERPETUAL"], 100 * HOUR_NS, 24)
    assert dict(asked.query)["start_timestamp"] == str(76 * HOUR_NS // MS)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (10_028, Throttled, "rate"),
        (11_051, Unreachable, "busy"),
        (10_041, Unreachable, "busy"),
        (-32_602, Rejected, "parameter"),
        (10_020, Rejected, "refused"),
    ],
)
def test_codes_mean_what_the_caller_should_do(code: int, kind: type, reason: str) -> None:
    found = rest.refusal(400, error(code, "why"))
    assert type(found) is kind
    assert found is not None
    assert (found.reason, found.facts["ret_code"]) == (reason, code)


def test_an_answer_without_an_error_has_its_general_meaning() -> None:
    assert rest.refusal(200, answer([])) is None
    assert rest.refusal(502, b"<html>") is None


def test_what_the_venue_does_not_keep_is_neither_asked_nor_read() -> None:
    for call in (
        lambda: rest.no_request(BY_NAME["BTC-PERPETUAL"], 1, 1),
        lambda: rest.no_open_interest(b"", 1, PERPETUAL),
        lambda: rest.no_account_ratio(b"", 1, PERPETUAL),
    ):
        with pytest.raises(Rejected, match="keeps no such history"):
            call()


def test_neither_result_nor_error_is_refused() -> None:
    with pytest.raises(WireError, match="neither result nor error"):
        rest.parse_quotes(b'{"jsonrpc":"2.0"}', AT, TABLE)
