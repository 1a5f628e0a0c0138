"""All books at once say what each says alone, and are counted as they are told."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.balance import Balance
from sextant.model.view import Books, Quotes, View
from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.strategies.answers import Answers, listed
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.making import judge
from sextant.strategies.making_screen import Screen
from support.makers import SIGMA_MINUTE, TRADES, tape_of
from support.markets import alternating, bars_of, closes_of, framed, frozen, specs_of, view_of

CHOSEN = strategy("ai_market_making")
HALF_SPREADS = (0.5, 3.0, 6.0, 9.0, 12.0, 15.0, 20.0, 40.0)
"""Basis points; the narrow ones are not paid for their fees."""
RICH = Account(equity_usd=1e6, coverage_frac=1.0, free_usd={"bybit": 1e6})
POOR = Account(equity_usd=2_000.0, coverage_frac=1.0, free_usd={"bybit": 2_000.0})
BROKE = Account(equity_usd=5_000.0, coverage_frac=1.0)


def books(venue: str = "bybit", kind: str = "perpetual") -> View:
    """Books of several widths, twice each: swept from both sides in turn, and by runs of one side; one without trades."""
    rows, widths = 1_500, np.array(HALF_SPREADS * 2)
    size = len(widths)
    steps = alternating(rows, SIGMA_MINUTE * np.sqrt(59.0 / 60.0))
    bars = framed("1m", bars_of(closes_of([steps] * size), quote_volume=1e5))
    rules = tuple(
        msgspec.structs.replace(one, tick=Decimal("0.0001"), lot=Decimal("0.001"))
        for one in specs_of(size, "spot" if kind == "spot" else "perpetual", venue)
    )
    half = 100.0 * widths / 1e4
    thousand = np.full(size, 1_000.0)
    quotes = Quotes(100.0 - half, 100.0 + half, thousand, thousand, np.zeros(size, dtype=np.int64))
    view = view_of(bars, rules, quotes)
    now = np.full(size, view.as_of_ns)
    deep = np.full((size, 10), 1_000.0)
    step = 0.01 * np.arange(10.0)
    told = Books(
        (100.0 - half)[:, None] - step, deep, (100.0 + half)[:, None] + step, deep.copy(), now > 0, now
    )
    reach = np.where(np.arange(TRADES) % 10 < 2, 2.0, 1.0)
    turns, runs = alternating(TRADES), np.where((np.arange(TRADES) // 100) % 2 == 0, 1.0, -1.0)
    tapes = {
        spec.instrument: tape_of(100.0 * (1.0 + sides * reach * width / 1e4), sides, view.as_of_ns - 10**9)
        for spec, width, sides in zip(
            rules, widths, [turns] * len(HALF_SPREADS) + [runs] * len(HALF_SPREADS), strict=True
        )
        if spec is not rules[2]
    }
    quotes = dataclasses.replace(quotes, event_ns=now)
    return frozen(dataclasses.replace(view, quotes=quotes, books=told, trades=tapes))


def judged(view: View, account: Account) -> tuple[int, Answers]:
    verdict = CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view))
    rows, answers = judge(CHOSEN, verdict, None, Pricing(view, account, CostAssumptions()))
    assert isinstance(answers, Answers)
    return len(rows), answers


@pytest.mark.parametrize("account", [RICH, POOR, BROKE, Account()])
def test_what_is_counted_is_what_is_told(account: Account) -> None:
    offers, answers = judged(books(), account)
    told = listed(list(answers))
    assert len(told) == 2 * len(HALF_SPREADS)
    assert tally(answers) == tally(told)
    assert tally(told)["opportunity"] == offers
    assert funnel_of(answers) == funnel_of(told)
    assert near_misses_of(answers) == near_misses_of(told)
    chosen = np.arange(len(told)) % 3 == 0
    some = answers.within(chosen)
    assert [item.unit for item in some] == [item.unit for item in list(answers)[::3]]
    assert funnel_of(some) == funnel_of(listed(list(some)))
    assert near_misses_of(some) == near_misses_of(listed(list(some)))


def test_books_end_where_their_width_and_flow_say() -> None:
    offers, answers = judged(books(), RICH)
    stages = [item.stage or item.kind for item in answers]
    assert offers > 0
    assert stages[0] == "quote_within_flow"
    assert stages[2] == "trades"
    assert {"quote_within_flow", "opportunity"} <= set(stages)
    poor = [item.stage for item in judged(books(), POOR)[1]]
    assert poor.count("min_capital") == offers
    broke = [item.kind for item in judged(books(), BROKE)[1]]
    assert 0 < broke.count("below_min_notional") <= offers  # an order of nothing is last in its queue
    assert "opportunity" not in broke


def test_each_book_among_many_is_as_it_is_alone() -> None:
    view = books()
    among = Screen(CHOSEN, CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view)), priced(view, RICH))
    _, told = judged(view, RICH)
    assert among.known.columns.tolist() == [column for column in range(view.size) if column != 2]
    for place, column in enumerate(among.known.columns.tolist()):
        if told[column].kind != "opportunity":
            assert among.made(column) == told[column]
            assert among.trial.ends[place] <= len(among.trial.gates)
        assert float(among.sizes.usd[place]) == min(
            float(some[place]) for some in among.sizes.limits.values()
        )


def priced(view: View, account: Account) -> Pricing:
    return Pricing(view, account, CostAssumptions())


def test_a_venue_whose_fees_are_unknown_is_told_so() -> None:
    offers, answers = judged(books("nowhere"), RICH)
    assert offers == 0
    assert {item.stage for item in answers} == {"cost.fees", "trades"}
    assert tally(answers) == tally(listed(list(answers)))
    assert funnel_of(answers) == funnel_of(listed(list(answers)))


def test_on_spot_what_lies_free_of_the_asset_bounds_the_size() -> None:
    view = books(kind="spot")
    base = view.instruments[5].instrument.base
    owner = owning(RICH, base)
    for account, expected in ((RICH, 0.0), (owner, 3.0 * 100.0)):
        screen = Screen(
            CHOSEN, CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view)), priced(view, account)
        )
        place = screen.known.columns.tolist().index(5)
        assert float(screen.sizes.limits["capital"][place]) == pytest.approx(expected)
        assert float(screen.sizes.limits["capital"][place - 1]) == 0.0


def owning(account: Account, asset: str) -> Account:
    """The account with three of an asset that lie free at the venue, in two entries, and more of it elsewhere."""
    held = [
        Balance(
            venue=venue,
            asset=asset,
            total=Decimal(9),
            free=free,
            value_usd=None,
            as_of_ns=1,
            source="test",
            reason="no price",
        )
        for venue, free in (
            ("bybit", Decimal(1)),
            ("bybit", Decimal(2)),
            ("bybit", None),
            ("kraken", Decimal(9)),
        )
    ]
    return msgspec.structs.replace(account, balances=tuple(held))
