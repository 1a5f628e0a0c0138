from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.strategies.plan import Appetite, D, Funding, Market, Plan, Refusal, plan

PINNED = Market(
    side="long",
    bid=D("100.00"),
    ask=D("100.02"),
    mark=D("100.01"),
    atr=D("0.80"),
    support=D("98.90"),
    price_step=D("0.01"),
    lot=D("0.001"),
    minimum_notional=D(5),
    rate=D("0.00055"),
    equity=D(10_000),
    depth=D(80_000),
    hv=D(0),
    ll=D(0),
)
"""The case of the specification."""


def made(market: Market, appetite: Appetite | None = None) -> Plan:
    found = plan(market) if appetite is None else plan(market, appetite)
    assert isinstance(found, Plan), found
    return found


def refused(market: Market) -> Refusal:
    found = plan(market)
    assert isinstance(found, Refusal), found
    return found


def test_pinned_case_is_planned_to_the_digit() -> None:
    found = made(PINNED)
    assert (found.entry, found.stop, found.distance) == (D("100.02"), D("98.70"), D("1.32"))
    assert found.unit_risk == D("1.429296")
    assert found.size == D("69.964")
    assert round(found.risk, 6) == D("99.999265")
    assert [target.price for target in found.targets] == [D("102.00"), D("103.32"), D("105.30")]
    assert [target.size for target in found.targets] == [D("34.982"), D("20.989"), D("13.993")]
    assert round(found.net_of_rates, 6) == D("204.596695")


def test_all_targets_together_are_two_point_three_r_before_costs() -> None:
    found = made(PINNED)
    assert float(sum(line.in_r for line in found.waterfall[:3])) == pytest.approx(2.3, abs=1e-4)
    assert found.waterfall[-1].amount == found.net == sum(line.amount for line in found.waterfall[:-1])


def mirrored(market: Market) -> Market:
    def turned(x: Decimal | None) -> Decimal | None:
        return None if x is None else 200 - x

    return replace(
        market,
        side="short" if market.side == "long" else "long",
        bid=turned(market.ask),
        ask=turned(market.bid),
        mark=turned(market.mark),
        support=turned(market.resistance),
        resistance=turned(market.support),
    )


def test_short_mirrors_long() -> None:
    long, short = made(PINNED), made(mirrored(PINNED))
    assert short.entry == 200 - long.entry
    assert short.stop == 200 - long.stop
    assert short.distance == long.distance
    assert [target.price for target in short.targets] == [200 - target.price for target in long.targets]


@pytest.mark.parametrize(
    "name",
    ["bid", "ask", "atr", "price_step", "lot", "minimum_notional", "rate", "equity", "depth", "hv", "ll"],
)
def test_missing_input_is_refused_and_named(name: str) -> None:
    found = refused(replace(PINNED, **{name: None}))  # type: ignore[arg-type]  # what is refused
    assert found.code == "MISSING"
    assert name in found.text


def test_mark_that_is_missing_or_apart_is_refused() -> None:
    assert refused(replace(PINNED, mark=None)).code == "NO_MARK"
    assert refused(replace(PINNED, mark=D("101.02"))).code == "MARK_APART"


def test_mark_somewhat_apart_widens_the_stop_and_says_so() -> None:
    found = made(replace(PINNED, mark=D("100.61")))
    assert found.stop == D("98.37")  # 100.02 - 1.25 * 1.32
    assert any("apart" in note for note in found.notes)


def test_stale_input_is_refused() -> None:
    found = refused(replace(PINNED, stale=("book",)))
    assert (found.code, found.text) == ("STALE", "Too old: book.")


@pytest.mark.parametrize(
    ("support", "stop"),
    [(None, "98.42"), ("99.30", "98.42"), ("97.00", "98.42"), ("99.22", "99.02"), ("97.62", "97.42")],
)
def test_stop_is_two_ranges_away_or_beyond_a_level_one_to_three_ranges_away(
    support: str | None, stop: str
) -> None:
    level = None if support is None else D(support)
    assert made(replace(PINNED, support=level)).stop == D(stop)


def test_stop_is_never_nearer_than_the_least_nor_beyond_six_per_cent() -> None:
    near = made(replace(PINNED, atr=D("0.01"), support=None))
    assert near.stop == D("99.71")  # .3 % of 100.02 is .30006, rounded away
    wide = made(replace(PINNED, bid=D("99.80"), atr=D("0.01"), support=None, mark=D("99.91")))
    assert wide.stop == D("98.92")  # five spreads of .22
    assert refused(replace(PINNED, atr=D("3.1"), support=None)).code == "STOP_TOO_FAR"


def test_size_is_bounded_by_notional_depth_and_stress() -> None:
    tight = replace(PINNED, support=None, atr=D("0.15"))
    assert made(tight).size == D("79.984")  # .10 * 80000 / 100.02
    assert made(replace(tight, depth=D(10**7))).size == D("99.980")  # 10000 / 100.02
    assert made(replace(PINNED, hv=D("0.4"), ll=D(1))).size == D("34.982")
    assert made(PINNED, Appetite(risk_frac=D("0.005"))).size == D("34.982")


def test_too_small_tells_the_equity_it_would_need() -> None:
    small = replace(PINNED, equity=D(5), minimum_notional=D(10))
    found = refused(small)
    assert found.code == "TOO_SMALL"
    needed = found.facts["equity_needed"]
    assert needed is not None
    assert made(replace(small, equity=needed + D("0.01"))).size >= D("0.1")
    assert refused(replace(PINNED, depth=D(20))).facts["equity_needed"] is None


def test_part_below_the_minimum_joins_the_nearer_target() -> None:
    found = made(replace(PINNED, equity=D(100), minimum_notional=D(20)))
    # 0.699 in all: 0.349, 0.209 and 0.141 of about 100 each; the last is below 20.
    assert [target.size for target in found.targets] == [D("0.349"), D("0.350")]
    assert sum(target.size for target in found.targets) == found.size


def test_costs_that_eat_the_first_target_leave_no_plan() -> None:
    found = refused(replace(PINNED, rate=D("0.02")))
    assert found.code == "NO_EDGE"


def test_funding_is_charged_at_its_true_interval_until_the_horizon() -> None:
    hourly = Funding(D("0.0001"), D(3600), D(600))
    assert hourly.settlements(D(14_400)) == 4
    assert Funding(D("0.0001"), D(28_800), D(20_000)).settlements(D(14_400)) == 0
    found = made(replace(PINNED, funding=hourly))
    line = next(line for line in found.waterfall if line.item == "funding")
    assert line.amount == -D("0.0004") * D("69.964") * D("100.01")
    received = made(replace(mirrored(PINNED), funding=hourly))
    assert next(line for line in received.waterfall if line.item == "funding").amount > 0


def test_appetite_out_of_bounds_is_refused() -> None:
    with pytest.raises(InputError, match="risk_frac"):
        Appetite(risk_frac=D("0.05"))
    with pytest.raises(InputError, match="notional_frac"):
        Appetite(notional_frac=D("0.01"))


cents = st.integers(1, 400).map(lambda x: D(x) / 100)


@given(
    atr=cents,
    spread=st.integers(1, 30),
    equity=st.integers(50, 10**6),
    support=st.one_of(st.none(), st.integers(9500, 10100).map(lambda x: D(x) / 100)),
    hv=st.integers(0, 10).map(lambda x: D(x) / 10),
    side=st.sampled_from(["long", "short"]),
)
@settings(max_examples=200, deadline=None)
def test_every_plan_keeps_its_promises(
    atr: Decimal, spread: int, equity: int, support: Decimal | None, hv: Decimal, side: str
) -> None:
    market = replace(
        PINNED,
        side=side,  # type: ignore[arg-type]  # one of the two
        atr=atr,
        ask=D(100) + D(spread) / 100,
        mark=D(100) + D(spread) / 200,
        equity=D(equity),
        support=support,
        resistance=None if support is None else 200 - support,
        hv=hv,
    )
    found = plan(market)
    if isinstance(found, Refusal):
        assert found.text
        return
    sign = 1 if side == "long" else -1
    assert found.risk <= D("0.01") * equity
    assert sum(target.size for target in found.targets) == found.size
    assert sign * (found.entry - found.stop) >= max(D("0.003") * found.entry, D(5) * D(spread) / 100)
    previous = found.entry
    for target in found.targets:
        assert sign * (target.price - previous) > 0
        assert target.in_r <= D(4)
        previous = target.price
    assert found.net <= found.net_of_rates
