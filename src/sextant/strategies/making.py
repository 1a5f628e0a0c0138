"""From the flow of a book to a pair of resting orders for one account, or why there is none."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from sextant.model.instrument import InstrumentSpec
from sextant.model.opportunity import (
    CostLine,
    Disposition,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    Size,
)
from sextant.model.scorecard import Scorecard
from sextant.model.times import MILLISECOND_NS, SECOND_NS
from sextant.strategies.answers import Answers
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import (
    Economic,
    below_least,
    economic,
    found,
    insufficient,
    negative_edge,
    refusals,
    unheard,
)
from sextant.strategies.fees import fee_tier
from sextant.strategies.flow import WINDOW_S, Rate
from sextant.strategies.quoting import Book, Quote, RoundTrip, quote_of, reservation_shift_bps, round_trip
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import Exposure, risk_of
from sextant.strategies.sizing import (
    ES95_OF_SIGMA,
    ES99_OF_SIGMA,
    Binding,
    Means,
    gap_of,
    least_usd,
    means_of,
    on_tick,
    quantity_of,
)

FACTS: Final = (
    "half_spread",
    "half_spread_usd",
    "tick",
    "sigma_minute",
    "jump",
    "k",
    "log_a_buy",
    "k_buy",
    "log_a_sell",
    "k_sell",
    "adverse",
    "adverse_se",
    "deepest",
    "toxicity",
    "trades",
    "hourly",
)
"""What a verdict about books says of each instrument, one row: bps, quote units, fractions, base units an hour."""

QUOTE_LIVES: Final = 20.0
NO_BOOKS: Final = "no recorded books"
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, eq=False)
class Maker:
    """A book, and who would quote it.

    Parameters
    ----------
    strategy, verdict, pricing, column
        Whose idea, about what, for whom.
    maker_bps
        Fee of a resting order.
    fee_basis, fee_source
        Where it is from.
    """

    strategy: Strategy
    verdict: Verdict
    pricing: Pricing
    column: int
    maker_bps: float
    fee_basis: str
    fee_source: str

    def fact(self, name: str) -> float:
        """A fact of the verdict."""
        return float(self.verdict.facts[name][0, self.column])

    @property
    def params(self) -> Mapping[str, float]:
        """The parameters it was asked with."""
        return self.verdict.params

    @property
    def spec(self) -> InstrumentSpec:
        """The instrument."""
        return self.pricing.view.instruments[self.column]

    @cached_property
    def mid(self) -> float:
        """Quote units."""
        return float(self.pricing.touch.mid[self.column])

    @cached_property
    def usd(self) -> float:
        """USD per quote unit."""
        return float(self.pricing.usd[self.column])

    @cached_property
    def book(self) -> Book:
        """The book in basis points."""
        return Book(
            half_spread_bps=self.fact("half_spread"),
            tick_bps=1e4 * self.fact("tick") / self.mid,
            maker_bps=self.maker_bps,
            adverse_bps=self.fact("adverse"),
            sigma_bps=1e4 * self.fact("sigma_minute") / math.sqrt(_MINUTE_S),
            k=self.fact("k"),
        )

    @cached_property
    def means(self) -> Means:
        """What the account brings."""
        return means_of(self.pricing.account, self.spec.instrument.venue)

    @cached_property
    def touch_usd(self) -> float:
        """The smaller side of the touch."""
        touch = self.pricing.touch
        size = min(float(touch.bid_size[self.column]), float(touch.ask_size[self.column]))
        return size * self.mid * self.usd

    @cached_property
    def capacity_usd(self) -> float:
        """The touch, or a share of an hour's flow."""
        return min(self.touch_usd, self.params["flow_share"] * self.fact("hourly") * self.mid * self.usd)

    def reaching(self, depth_bps: float) -> float:
        """Sweeps per second of the slower side that reach a depth."""
        sides = (("log_a_buy", "k_buy"), ("log_a_sell", "k_sell"))
        return min(Rate(self.fact(log_a), self.fact(k)).at(depth_bps) for log_a, k in sides)


@dataclass(frozen=True, eq=False)
class Offer:
    """A pair of orders at its size."""

    maker: Maker
    quote: Quote
    trip: RoundTrip
    quantity: Decimal
    notional_usd: float
    binding: Binding
    readings: tuple[GateReading, ...]


def judge(strategy: Strategy, verdict: Verdict, _: object, pricing: Pricing) -> Judged:
    """All books worth quoting, and one disposition for each instrument."""
    view = pricing.view
    if verdict.skipped is not None:
        return [], [unheard(spec, verdict.skipped) for spec in view.instruments]
    refused = refusals(verdict, view)
    rows: list[Opportunity] = []
    own: dict[int, Disposition] = {}
    # A book has no direction; that this is all it lacks means that its gates passed.
    for column in refused.undirected:
        answer = _offered(strategy, verdict, pricing, column, refused.read.readings(column))
        if isinstance(answer, Offer):
            row = _told(answer)
            rows.append(row)
            own[column] = found(view.instruments[column], row.opportunity_key, row.gates)
        else:
            own[column] = answer
    return rows, Answers(refused, np.arange(view.size), own)


def _offered(
    strategy: Strategy, verdict: Verdict, pricing: Pricing, column: int, readings: tuple[GateReading, ...]
) -> Offer | Disposition:
    spec = pricing.view.instruments[column]
    fee = fee_tier(pricing.account, spec.instrument)
    if fee is None:
        return insufficient(spec, ("cost.fees", 0.0, 1.0, "values"), readings)
    basis = f"maker, {fee.venue} {fee.kind} tier '{fee.tier}'" + (" assumed" if fee.assumed else "")
    maker = Maker(strategy, verdict, pricing, column, fee.maker_bps, basis, fee.source)
    book, params = maker.book, maker.params
    size_usd, binding = _wanted(maker)
    share = size_usd / (size_usd + maker.touch_usd) if maker.touch_usd > 0 else 1.0
    quote = quote_of(book, share, params["gamma"], params["tau_s"])
    deepest = maker.fact("deepest")
    needed = book.least_bps if book.least_bps > deepest else quote.delta_bps
    gates = [
        Economic("quote_within_flow", needed, deepest, -1, "bps"),
        Economic("toxicity", maker.fact("toxicity"), params["toxicity"], -1, "fraction"),
        Economic("jump", maker.fact("jump"), params["jump"], -1, "sigma"),
    ]
    passed = _passed(spec, gates, readings)
    if isinstance(passed, Disposition):
        return passed
    trip = round_trip(book, quote, maker.reaching(quote.delta_bps), params["gamma"])
    kept = quote.delta_bps - book.maker_bps - book.adverse_bps
    error = maker.fact("adverse_se")
    gates = [
        Economic("round_trip_s", trip.seconds, params["round_trip_s"], -1, "s"),
        Economic("significance", kept / error if error > 0 else math.inf, params["significance"], 1),
    ]
    if not maker.means.illustrative:
        gates.append(Economic("min_capital", maker.means.equity_usd, strategy.min_capital_usd, 1, "USD"))
    passed = _passed(spec, gates, passed)
    if isinstance(passed, Disposition):
        return passed
    if trip.edge_bps <= 0:
        return negative_edge(spec, trip.gross_bps, trip.gross_bps - trip.edge_bps, passed)
    return _sized(maker, quote, trip, (size_usd, binding), passed)


def _passed(
    spec: InstrumentSpec, gates: list[Economic], readings: tuple[GateReading, ...]
) -> tuple[GateReading, ...] | Disposition:
    for gate in gates:
        if not gate.reading.passed:
            return economic(spec, gate, readings)
        readings = (*readings, gate.reading)
    return readings


def _sized(
    maker: Maker,
    quote: Quote,
    trip: RoundTrip,
    wanted: tuple[float, Binding],
    readings: tuple[GateReading, ...],
) -> Offer | Disposition:
    size_usd, binding = wanted
    spec = maker.spec
    quantity = quantity_of(size_usd, maker.mid, maker.usd, spec)
    notional = float(quantity) * maker.mid * maker.usd
    need = least_usd(spec, maker.mid, maker.usd)
    if quantity <= 0 or notional < need:
        return below_least(spec, notional, need, binding, readings)
    edge = Economic("min_edge_bps", trip.edge_bps, 0.0, 1, "bps").reading
    return Offer(maker, quote, trip, quantity, notional, binding, (*readings, edge))


def _wanted(maker: Maker) -> tuple[float, Binding]:
    """The size of one side: a full inventory that meets a jump loses no more than the risk of one idea.

    Notes
    -----
    On spot the sell side needs the asset: what lies free of it at the venue bounds the size, and without an account nothing.
    """
    means, sizes = maker.means, maker.params["inventory_sizes"]
    instrument = maker.spec.instrument
    jump = maker.params["jump"] * maker.fact("sigma_minute")
    volume = float(maker.pricing.volume_24h_usd[maker.column])
    loss_frac = sizes * (jump * gap_of(volume) + maker.book.half_spread_bps / 1e4)
    capital = means.free_usd
    if instrument.kind == "spot" and not means.illustrative:
        held = math.fsum(
            float(balance.free or 0)
            for balance in maker.pricing.account.balances
            if (balance.venue, balance.asset) == (instrument.venue, instrument.base)
        )
        capital = min(capital, max(held, 0.0) * maker.mid * maker.usd)
    limits: list[tuple[float, Binding]] = [
        (means.equity_usd * means.profile.risk_frac / loss_frac, "risk"),
        (capital, "capital"),
        (maker.capacity_usd / 2.0, "capacity"),
        (means.profile.position_cap_frac * means.equity_usd / sizes, "position_cap"),
    ]
    return min(limits)


# ---- telling -------------------------------------------------------------------------------------


def _told(offer: Offer) -> Opportunity:
    maker, trip, params = offer.maker, offer.trip, offer.maker.params
    view = maker.pricing.view
    level, facts = risk_of(_exposure(offer))
    sigma_frac = maker.book.sigma_bps / 1e4 * math.sqrt(params["horizon_s"])
    score = None
    if not maker.means.illustrative:
        held = maker.book.sigma_bps / 1e4 * math.sqrt(trip.seconds)
        filled = offer.notional_usd * offer.quote.fill_share
        score = rank_score(trip.edge_bps, filled, max(held, 1e-9), maker.means.profile)
    hourly = trip.edge_bps / 1e4 * offer.notional_usd * 3_600.0 / trip.seconds
    quote_ns = int(maker.pricing.touch.event_ns[maker.column])
    limit_s = next(need.greatest_age_s for need in maker.strategy.needs if need.column == "quotes")
    return Opportunity(
        opportunity_key=_key(maker),
        first_seen_ns=view.as_of_ns,
        strategy_id=maker.strategy.id,
        strategy_name=maker.strategy.name,
        opportunity_type=maker.strategy.opportunity_type,
        lane=maker.strategy.lane,
        legs=_legs(offer),
        direction="neutral",
        entry=None,
        stop=None,
        stop_reason=f"Quotes are taken away when a minute moves by more than {params['jump']:g} volatilities.",
        targets=(),
        horizon_s=params["horizon_s"],
        expected_s=trip.seconds,
        gross_bps=trip.gross_bps,
        costs=_lines(offer),
        edge_bps=trip.edge_bps,
        edge_usd=trip.edge_bps * offer.notional_usd / 1e4,
        edge_lcb_bps=trip.edge_bps,
        es95_usd=ES95_OF_SIGMA * sigma_frac * offer.notional_usd,
        break_even_s=None,
        break_even_hit_frac=None,
        capacity_usd=maker.capacity_usd,
        capacity_curve=(),
        size_min_usd=None,
        expires_ns=max(quote_ns + round(QUOTE_LIVES * limit_s * SECOND_NS), view.as_of_ns),
        half_life_s=None,
        strength=offer.quote.delta_bps / maker.book.least_bps,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="analytic",
        evidence=_card(maker),
        risk_level=level,
        risk_facts=facts | {"usd_per_hour": hourly, "round_trip_s": trip.seconds},
        size=Size(
            quantity=offer.quantity,
            notional_usd=offer.notional_usd,
            risk_usd=facts["loss_usd"],
            binding=offer.binding,
            required_capital_usd=2.0 * offer.notional_usd,
            illustrative=maker.means.illustrative,
        ),
        inputs=_inputs(maker),
        gates=offer.readings,
        reasons=_reasons(offer, hourly),
        warnings=_warnings(offer),
        rank_group=0,
        rank_score=score,
        as_of_ns=view.as_of_ns,
    )


def _key(maker: Maker) -> str:
    params = ",".join(f"{name}={maker.params[name]!r}" for name in sorted(maker.params))
    parts = "|".join((maker.strategy.id, str(maker.spec.instrument), params))
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


def _legs(offer: Offer) -> tuple[Leg, ...]:
    """Two resting orders around the reservation price, each on the tick away from it and never across the touch."""
    maker, touch = offer.maker, offer.maker.pricing.touch
    held = math.fsum(
        float(position.quantity)
        for position in maker.pricing.account.positions
        if position.instrument == maker.spec.instrument
    )
    sizes = max(-1.0, min(held / float(offer.quantity) / maker.params["inventory_sizes"], 1.0))
    shift = reservation_shift_bps(
        maker.book, sizes * maker.params["inventory_sizes"], maker.params["gamma"], maker.params["tau_s"]
    )
    fair, delta = maker.mid * (1.0 + shift / 1e4), offer.quote.delta_bps / 1e4
    tick = maker.spec.tick
    bid = on_tick(float(touch.bid[maker.column]), maker.spec)
    ask = on_tick(float(touch.ask[maker.column]), maker.spec)
    prices: tuple[tuple[Literal["buy", "sell"], Decimal], ...] = (
        ("buy", min(on_tick(fair * (1.0 - delta), maker.spec, "down"), ask - tick)),
        ("sell", max(on_tick(fair * (1.0 + delta), maker.spec, "up"), bid + tick)),
    )
    age_ms = float(touch.age_ms[maker.column])
    return tuple(
        Leg(
            instrument=maker.spec.instrument,
            side=side,
            quantity=offer.quantity,
            price=price,
            order_kind="limit_post_only",
            reduce_only=False,
            notional_usd=offer.notional_usd,
            leverage=None,
            margin_usd=None,
            role="entry",
            quote_age_ms=None if touch.assumed else age_ms,
        )
        for side, price in prices
    )


def _lines(offer: Offer) -> tuple[CostLine, ...]:
    maker, trip = offer.maker, offer.trip
    hidden = trip.adverse_bps + trip.inventory_bps
    words = (
        f"move against whoever is hit {trip.adverse_bps:.2f}, risk of holding {trip.inventory_bps:.2f} bps"
    )
    rows: tuple[tuple[Any, float, str, str], ...] = (
        ("gross", trip.gross_bps, "flow", "twice the distance from the reservation price"),
        ("fee_entry", -maker.maker_bps, maker.fee_source, maker.fee_basis),
        ("fee_exit", -maker.maker_bps, maker.fee_source, maker.fee_basis),
        ("spread", 0.0, "none", "resting orders do not cross"),
        ("slippage", -hidden, "flow", words),
        ("funding", 0.0, "none", "turned over within minutes"),
        ("borrow", 0.0, "none", "nothing is borrowed"),
        ("transfer", 0.0, "none", "traded with what lies at the venue"),
        ("delivery", 0.0, "none", "left before any delivery"),
    )
    as_of_ns = maker.pricing.view.as_of_ns
    return tuple(
        CostLine(item, bps, bps * offer.notional_usd / 1e4, source, as_of_ns, basis)
        for item, bps, source, basis in rows
    )


def _exposure(offer: Offer) -> Exposure:
    maker, params = offer.maker, offer.maker.params
    sizes = params["inventory_sizes"]
    sigma = maker.book.sigma_bps / 1e4 * math.sqrt(params["horizon_s"])
    return Exposure(
        notional_usd=sizes * offer.notional_usd,
        required_usd=2.0 * offer.notional_usd,
        stop_frac=params["jump"] * maker.fact("sigma_minute"),
        cost_frac=maker.book.half_spread_bps / 1e4,
        es99_frac=ES99_OF_SIGMA * sigma,
        leverage=1.0,
        volume_24h_usd=float(maker.pricing.volume_24h_usd[maker.column]),
    )


def _card(maker: Maker) -> Scorecard:
    trades = int(maker.fact("trades"))
    return Scorecard(
        kind="flow",
        status="analytic",
        reason=NO_BOOKS,
        source=f"{trades} sweeps of {WINDOW_S:.0f} s",
        bucket="flow",
        n=trades,
        n_eff=WINDOW_S / _MINUTE_S,
        clusters_count=int(WINDOW_S / _MINUTE_S),
        grade="analytic",
    )


def _inputs(maker: Maker) -> tuple[InputAge, ...]:
    view = maker.pricing.view
    tape = view.trades[maker.spec.instrument]
    times = {
        "quotes": int(maker.pricing.touch.event_ns[maker.column]),
        "books": int(view.books.event_ns[maker.column]),
        "trades": int(tape.event_ns[-1]),
        "bars": view.bars[maker.verdict.interval].last_close_ns or 0,
    }
    return tuple(
        InputAge(
            need.column,
            times[need.column],
            (view.as_of_ns - times[need.column]) / MILLISECOND_NS,
            need.greatest_age_s * 1e3,
        )
        for need in maker.strategy.needs
    )


def _reasons(offer: Offer, hourly: float) -> tuple[str, ...]:
    maker, trip, book = offer.maker, offer.trip, offer.maker.book
    where = "inside the touch" if offer.quote.inside else "at or behind the touch"
    return (
        (
            f"Quotes {offer.quote.delta_bps:.1f} bps from the mid, {where}; the half spread is {book.half_spread_bps:.1f} and "
            f"{book.least_bps:.1f} are needed for fee, adverse selection and margin."
        ),
        (
            f"Sweeps decay by {book.k:.3f} per bps; of the slower side {60 * maker.reaching(offer.quote.delta_bps):.1f} a minute "
            f"reach the quote, and a round trip takes {trip.seconds:.0f} s."
        ),
        (
            f"A round trip leaves {trip.edge_bps:.1f} of {trip.gross_bps:.1f} bps, about {hourly:.2f} USD an hour at "
            f"{offer.notional_usd:.0f} USD a side; at most {maker.params['inventory_sizes']:g} sizes are held."
        ),
        f"Size {offer.notional_usd:.0f} USD is bound by {offer.binding}.",
    )


def _warnings(offer: Offer) -> tuple[str, ...]:
    maker = offer.maker
    told = [
        "The edge holds the careful move against the maker; the opportunity describes a book and must be quoted anew all the time.",
        f"Fills are modelled from the flow of {WINDOW_S:.0f} s: {NO_BOOKS}.",
    ]
    if "assumed" in maker.fee_basis:
        told.append(f"The fee is the entry tier of {maker.spec.instrument.venue}, assumed.")
    if maker.means.illustrative:
        told.append(
            "No account is connected: sizes are illustrative, for 1,000 USD, and not ranked for a person."
        )
    if maker.pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
