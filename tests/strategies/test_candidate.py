from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from support.judging import BREAKOUT, RICH, mirrored, only, run
from support.markets import breakout_market, quoted
from support.portfolios import balance, position


def test_a_short_of_a_spot_instrument_needs_a_perpetual_of_the_same_base() -> None:
    rows, dispositions = run(BREAKOUT, mirrored(breakout_market(), perpetual=False))
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("gate_failed", "shortable")


def test_the_perpetual_that_realises_a_short_is_priced_in_its_own_terms() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    rows, dispositions = run(BREAKOUT, view)
    (row,) = rows
    assert dispositions[0].kind == "opportunity"
    assert str(row.legs[0].instrument) == "binance:C000-USDT:perpetual"
    assert (row.legs[0].side, row.direction, row.legs[0].leverage) == ("sell", "short", 1.0)
    # The stop lies 1.05 % above the perpetual's own mid of 200, the target 3 % below.
    assert row.stop is not None
    assert float(row.stop) == pytest.approx(200.0 * 1.0105, rel=1e-3)
    assert float(row.targets[0].price) == pytest.approx(200.0 * 0.9698, rel=2e-3)
    lines = {line.item: line.bps for line in row.costs}
    assert lines["fee_entry"] == -5.0
    # Three settlements of 1 bp within 24 hours, paid to the short.
    assert lines["funding"] == pytest.approx(3.0)
    assert any("realised by" in warning for warning in row.warnings)


def test_an_idea_keeps_its_key_while_its_row_and_parameters_stay() -> None:
    view = breakout_market()
    first = only(view)
    later = dataclasses.replace(
        view,
        as_of_ns=view.as_of_ns + 5 * SECOND_NS,
        quotes=quoted(view.bars["1h"].close[-1] * 1.0001, view.as_of_ns + 5 * SECOND_NS),
    )
    assert only(later).opportunity_key == first.opportunity_key
    assert first.first_seen_ns == view.bars["1h"].last_close_ns
    rows, _ = run(BREAKOUT, view, volume=1.9)
    assert rows[0].opportunity_key != first.opportunity_key


def test_an_idea_expires_with_its_quote_long_before_its_trigger() -> None:
    view = breakout_market()
    assert only(view).expires_ns == view.as_of_ns + 300 * SECOND_NS


def test_a_perpetual_that_is_stale_wide_thin_or_out_of_reach_realises_no_short() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    quotes = view.quotes
    stale = dataclasses.replace(quotes, event_ns=quotes.event_ns - np.array([0, 16 * SECOND_NS]))
    wide = dataclasses.replace(quotes, ask=quotes.ask * np.array([1.0, 1.002]))
    thin = dataclasses.replace(view.derivatives, turnover_24h=np.array([np.nan, 4.9e6]))
    for worse in (
        dataclasses.replace(view, quotes=stale),
        dataclasses.replace(view, quotes=wide),
        dataclasses.replace(view, derivatives=thin),
    ):
        _, dispositions = run(BREAKOUT, worse)
        assert (dispositions[0].kind, dispositions[0].stage) == ("gate_failed", "shortable")
    elsewhere = msgspec.structs.replace(RICH, free_usd={"kraken": 100_000.0})
    _, dispositions = run(BREAKOUT, view, account=elsewhere)
    assert dispositions[0].stage == "shortable"


def owning(view: View, units: str, **changes: Any) -> Account:
    """The rich account with some of the first asset at the venue."""
    return msgspec.structs.replace(RICH, balances=(balance(view, "binance", "C000", units, **changes),))


def test_a_short_of_what_is_owned_sells_it() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    rows, dispositions = run(BREAKOUT, view, account=owning(view, "2.5"))
    (row,) = rows
    assert dispositions[0].kind == "opportunity"
    (leg,) = row.legs
    assert (str(leg.instrument), leg.side, leg.leverage) == ("binance:C000-USDT:spot", "sell", None)
    assert row.direction == "reduce"
    assert leg.quantity <= Decimal("2.5")
    assert row.size.binding == "capital"
    assert any("your own 2.5 C000 that lie free at binance" in reason for reason in row.reasons)
    assert not any("realised by" in warning for warning in row.warnings)


def test_what_is_locked_or_too_little_is_not_sold() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    for who in (owning(view, "100", free=Decimal(0)), owning(view, "0.00001"), owning(view, "-3")):
        rows, _ = run(BREAKOUT, view, account=who)
        assert str(rows[0].legs[0].instrument) == "binance:C000-USDT:perpetual"
        assert rows[0].direction == "short"
    elsewhere = msgspec.structs.replace(RICH, balances=(balance(view, "kraken", "C000", "100"),))
    assert run(BREAKOUT, view, account=elsewhere)[0][0].direction == "short"


def test_a_long_is_never_a_sale_of_what_is_owned() -> None:
    view = breakout_market()
    assert only(view, account=owning(view, "2.5")).direction == "long"


def test_the_opposite_position_is_closed_before_anything_is_opened() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    long = position(view, "C000", "1.5")
    rows, _ = run(BREAKOUT, view, account=msgspec.structs.replace(RICH, positions=(long,)))
    (leg,) = rows[0].legs
    assert (str(leg.instrument), leg.side, leg.reduce_only) == ("binance:C000-USDT:perpetual", "sell", True)
    assert (leg.leverage, leg.margin_usd) == (None, None)
    assert rows[0].direction == "reduce"
    assert leg.quantity <= Decimal("1.5")
    assert any("closes of your long position of 1.5 C000" in reason for reason in rows[0].reasons)


def test_more_of_the_same_position_is_opened_as_ever() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    for held in (position(view, "C000", "-1.5"), position(view, "C000", "0.0000001")):
        rows, _ = run(BREAKOUT, view, account=msgspec.structs.replace(RICH, positions=(held,)))
        assert rows[0].direction == "short"
        assert not rows[0].legs[0].reduce_only
