from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.account import Account, FeeTier
from sextant.model.bar import Floats
from sextant.model.view import Books, View
from sextant.strategies.costs import (
    CostAssumptions,
    Depth,
    Pricing,
    Stay,
    Terms,
    book_depth,
    capacity,
    capacity_curve,
    round_trip_cost_bps,
    terms_of,
    waterfall,
)
from support.markets import bars_of, closes_of, framed, specs_of, view_of

NOTHING = CostAssumptions()
LEVELS: Floats = 100.0 + 0.02 * np.arange(50.0)
BELOW: Floats = 100.0 - 0.02 * np.arange(50.0)
TWENTY = np.full(50, 20.0)


def flat_market(kind: str = "spot") -> View:
    """One instrument at 100 for 48 hours, 1 million a bar, quoted 2 bps wide."""
    frame = framed("1h", bars_of(closes_of([np.zeros(48)])))
    return view_of(frame, specs_of(1, kind))  # type: ignore[arg-type]  # a literal in every caller


def law(touch_usd: float = 0.0) -> Depth:
    """4 % a day, 4 million a day."""
    return Depth("law", 1, 100.0, np.zeros(1), np.zeros(1), touch_usd, 4e6, 0.04, 1.0)


def terms(view: View, direction: int = 1, account: Account | None = None) -> Terms:
    pricing = Pricing(view, account or Account(), NOTHING)
    return terms_of(pricing, Stay(0, direction, 86_400.0, sigma_day=0.04, stop_share=1.0))


def with_book(view: View, ask: Floats, bid: Floats, sizes: Floats, age_s: float = 0.0) -> View:
    event_ns = np.array([view.as_of_ns - round(age_s * 1e9)])
    books = Books(bid[None], sizes[None], ask[None], sizes[None], np.array([True]), event_ns)
    return dataclasses.replace(view, books=books)


@pytest.mark.parametrize(("size_usd", "expected_bps"), [(1_000.0, 0.0), (5_000.0, 1.60), (15_000.0, 6.53)])
def test_walking_the_book_of_the_page_costs_what_the_page_says(size_usd: float, expected_bps: float) -> None:
    depth = book_depth(LEVELS, TWENTY, 1, usd=1.0)
    assert depth.slippage_bps(np.array([size_usd]))[0] == pytest.approx(expected_bps, abs=0.005)


def test_walking_the_bids_costs_the_same_as_their_mirror() -> None:
    bids = book_depth(BELOW, TWENTY, -1, usd=1.0)
    # 20 at 100.00 and 20 at 99.98 fill 3,999.60 USD at 99.99 on average: 1 bps under the touch.
    assert bids.slippage_bps(np.array([3_999.6]))[0] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_costs_what_interpolation_of_the_whole_book_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side = 1 if seed % 2 else -1
    prices = 100.0 + side * np.cumsum(rng.exponential(0.02, 12))
    depth = book_depth(prices, rng.exponential(3.0, 12), side, 1.0)
    sizes = np.concatenate(
        ([1.0, depth.greatest_usd], rng.uniform(1.0, depth.greatest_usd, 50), depth.usd[1:])
    )
    average = sizes / np.interp(sizes, depth.usd, depth.units)
    expected = 1e4 * side * (average / prices[0] - 1.0)
    np.testing.assert_allclose(depth.slippage_bps(sizes), expected, rtol=1e-9, atol=1e-9)


def test_nothing_is_offered_beyond_the_visible_book() -> None:
    depth = book_depth(np.array([100.0, 101.0, np.nan]), np.array([1.0, 1.0, np.nan]), 1, usd=1.0)
    assert depth.greatest_usd == 201.0
    assert np.isnan(depth.slippage_bps(np.array([202.0]))[0])


def test_sizes_beyond_the_touch_follow_the_square_root_law() -> None:
    # 0.04 * sqrt(10,000/4,000,000) = 0.002.
    assert law().slippage_bps(np.array([10_000.0]))[0] == pytest.approx(20.0, rel=1e-12)
    assert law(2_500.0).slippage_bps(np.array([2_500.0, 12_500.0])) == pytest.approx([0.0, 20.0])
    assert law().greatest_usd == 40_000.0
    assert np.isnan(law().slippage_bps(np.array([40_001.0]))[0])


def test_a_round_trip_pays_two_taker_fees_and_the_quoted_spread() -> None:
    view = flat_market()
    assert round_trip_cost_bps(view, Account(), NOTHING)[0] == pytest.approx(22.0, abs=1e-6)
    own = FeeTier("binance", "spot", "VIP 9", 1.1, 2.3, assumed=False, source="venue", read_on="2026-01-01")
    account = Account(fees={"binance:spot": own})
    assert round_trip_cost_bps(view, account, NOTHING)[0] == pytest.approx(6.6, abs=1e-6)


def test_the_lines_sum_to_the_edge_and_stand_in_their_order() -> None:
    view = flat_market()
    pricing = Pricing(view, Account(), NOTHING)
    lines = waterfall(pricing, terms(view), 50.0, 1_000.0)
    assert [line.item for line in lines] == [
        "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery",
    ]  # fmt: skip
    # The quote holds a billion units, so 1,000 USD move nothing: 50 - 10 - 10 - 2.
    assert math.fsum(line.bps or 0.0 for line in lines) == pytest.approx(28.0, abs=1e-6)
    assert lines[1].usd == pytest.approx(-1.0)
    assert terms(view).cost_bps(1_000.0) == pytest.approx(22.0, abs=1e-6)


def test_a_fresh_book_is_walked_on_both_sides_and_stops_slip_further() -> None:
    view = with_book(flat_market(), LEVELS, BELOW - 0.02, TWENTY)
    walked = terms(view)
    assert walked.entry.kind == "book"
    size = np.array([5_000.0])
    both = walked.entry.slippage_bps(size)[0] + 1.5 * walked.leave.slippage_bps(size)[0]
    assert walked.leave_factor == 1.5
    assert walked.slippage_bps(size)[0] == pytest.approx(both)
    assert both == pytest.approx(1.60 * 2.5, rel=0.01)


def test_an_old_book_is_not_walked() -> None:
    view = with_book(flat_market(), LEVELS, BELOW - 0.02, TWENTY, age_s=11.0)
    assert terms(view).entry.kind == "law"


def test_a_perpetual_without_funding_and_a_venue_without_fees_have_unknown_costs() -> None:
    assert terms(flat_market("perpetual")).unknown == "funding"
    view = flat_market()
    stranger = msgspec.structs.replace(view.instruments[0].instrument, venue="unheard_of")
    spec = msgspec.structs.replace(view.instruments[0], instrument=stranger)
    assert terms(dataclasses.replace(view, instruments=(spec,))).unknown == "fees"


def test_funding_is_paid_by_the_side_that_the_rate_charges() -> None:
    view = flat_market("perpetual")
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.array([0.0001]),
        funding_interval_s=np.array([28_800.0]),
        next_funding_ns=np.array([view.as_of_ns + 3_600 * 10**9]),
    )
    view = dataclasses.replace(view, derivatives=facts)
    # Three settlements within a day of 1 bp each, no history: the rate itself.
    assert terms(view, 1).funding_bps == pytest.approx(-3.0)
    assert terms(view, -1).funding_bps == pytest.approx(3.0)
    assert terms(view, 1).unknown is None


def test_capacity_ends_where_the_square_root_law_eats_the_edge() -> None:
    base = terms(flat_market())
    # Fixed 22 bps, gross 72: 50 bps are left for 2.5 x 400 x sqrt(N/4e6) bps, so N = 4e6 (50/1000)^2 = 10,000.
    thin = dataclasses.replace(base, entry=law(), leave=law())
    found = capacity(thin, 72.0)
    assert found.smallest_usd == 10.0
    assert found.largest_usd == pytest.approx(10_000.0, rel=1e-6)
    assert capacity(thin, 20.0).largest_usd is None


def test_the_curve_never_rises_and_leaves_out_what_cannot_be_priced() -> None:
    thin = dataclasses.replace(terms(flat_market()), entry=law(), leave=law())
    curve = capacity_curve(thin, 72.0, 20_000.0)
    assert [point.size_usd for point in curve] == [5_000.0, 10_000.0, 20_000.0, 40_000.0]
    edges = [point.edge_bps for point in curve]
    assert edges == sorted(edges, reverse=True)
    assert edges[1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"spread_bps_assumed": -1.0}, {"spread_bps_assumed": 1_001.0}, {"impact": 0.4}, {"impact": 2.1}]
)
def test_assumptions_outside_their_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        CostAssumptions(**wrong)


def test_a_depth_under_the_smallest_size_has_no_capacity() -> None:
    tiny = dataclasses.replace(law(), volume_24h_usd=900.0)
    base = dataclasses.replace(terms(flat_market()), entry=tiny, leave=tiny)
    assert base.greatest_usd == 9.0
    assert capacity(base, 1_000.0).largest_usd is None


def test_each_line_says_what_it_rests_on() -> None:
    view = with_book(flat_market("perpetual"), LEVELS, BELOW - 0.02, TWENTY)
    pricing = Pricing(view, Account(), NOTHING)
    lines = {line.item: line for line in waterfall(pricing, terms(view), None, 5_000.0)}
    assert lines["gross"].bps is None
    assert lines["gross"].basis == "unproven: too few past events"
    assert lines["slippage"].basis == "book walk at 5000 USD, exit x 1.50 for stops"
    assert lines["funding"].basis == "unknown: no funding rate"
    assert lines["funding"].bps is None
    assert lines["fee_entry"].basis == "taker, binance perpetual tier 'entry' assumed"


def test_a_post_only_entry_pays_the_maker_once_crosses_once_and_slips_at_exit_only() -> None:
    view = flat_market("perpetual")
    pricing = Pricing(view, Account(), NOTHING)
    assert pricing.round_trip_bps[0] == pytest.approx(5.0 + 5.0 + 2.0)
    assert pricing.resting_bps[0] == pytest.approx(2.0 + 5.0 + 1.0)
    taken, resting = (
        dataclasses.replace(
            terms_of(pricing, Stay(0, 1, 600.0, sigma_day=0.04, stop_share=1.0, resting=patient)),
            entry=law(),
            leave=law(),
            pays_funding=False,
        )
        for patient in (False, True)
    )
    assert [taken.fixed_bps, resting.fixed_bps] == pytest.approx([12.0, 8.0])
    # 20 bps each way at 10,000 USD, half as much again at a stop.
    size = np.array([10_000.0])
    assert [terms.slippage_bps(size)[0] for terms in (taken, resting)] == pytest.approx([50.0, 30.0])
    lines = {line.item: line for line in waterfall(pricing, resting, None, 10_000.0)}
    charged = [lines[name].bps for name in ("fee_entry", "fee_exit", "spread")]
    assert charged == pytest.approx([-2.0, -5.0, -1.0])
    assert lines["fee_entry"].basis.startswith("maker, post-only")
    assert lines["spread"].basis == "half the quoted spread per crossing, one crossing"
