"""From the flow of a book to a pair of resting orders for one account, or why there is none."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np

from sextant.model.account import FeeTier
from sextant.model.bar import Floats
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
from sextant.strategies.dispositions import Economic, below_least, found, unheard
from sextant.strategies.flow import WINDOW_S
from sextant.strategies.making_screen import MINUTE_S, Screen
from sextant.strategies.quoting import reservation_shift_bps
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import Exposure, risk_of
from sextant.strategies.sizing import (
    ES95_OF_SIGMA,
    ES99_OF_SIGMA,
    Binding,
    Means,
    least_usd,
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


@dataclass(frozen=True, eq=False)
class Maker:
    """One book of a screen, in plain numbers.

    Parameters
    ----------
    screen, place
        Which.
    column, spec, fee, means
        Its place among the instruments, its rules, what a resting order pays, and what the account brings.
    sigma_bps
        Volatility, basis points per square root of a second.
    half_spread_bps, least_bps, delta_bps
        Half of the quoted spread; the distance from the mid that pays; the distance that is quoted.
    gross_bps, edge_bps, seconds
        Of a round trip: before and after all costs, and its expected time.
    """

    screen: Screen
    place: int
    column: int
    spec: InstrumentSpec
    fee: FeeTier
    means: Means
    sigma_bps: float
    half_spread_bps: float
    least_bps: float
    delta_bps: float
    gross_bps: float
    edge_bps: float
    seconds: float

    @property
    def strategy(self) -> Strategy:
        """Whose idea."""
        return self.screen.strategy

    @property
    def pricing(self) -> Pricing:
        """For whom, in which market."""
        return self.screen.known.pricing

    @property
    def params(self) -> Mapping[str, float]:
        """The parameters it was asked with."""
        return self.screen.known.params

    def number(self, values: Floats) -> float:
        """Its own of some numbers of all books."""
        return float(values[self.place])

    def fact(self, name: str) -> float:
        """A fact of the verdict."""
        return float(self.screen.known.verdict.facts[name][0, self.column])


def maker_of(screen: Screen, place: int) -> Maker:
    """A book that is worth quoting."""
    known, trial = screen.known, screen.trial
    fee = known.fees[place]
    assert fee is not None  # noqa: S101  # a book without fees is not worth quoting
    return Maker(
        screen=screen,
        place=place,
        column=int(known.columns[place]),
        spec=known.specs[place],
        fee=fee,
        means=known.means[place],
        sigma_bps=float(known.book.sigma_bps[place]),
        half_spread_bps=float(known.book.half_spread_bps[place]),
        least_bps=float(known.book.least_bps[place]),
        delta_bps=float(trial.quote.delta_bps[place]),
        gross_bps=float(trial.trip.gross_bps[place]),
        edge_bps=float(trial.trip.edge_bps[place]),
        seconds=float(trial.trip.seconds[place]),
    )


@dataclass(frozen=True, eq=False)
class Offer:
    """A pair of orders at its size."""

    maker: Maker
    quantity: Decimal
    notional_usd: float
    binding: Binding
    readings: tuple[GateReading, ...]


def judge(strategy: Strategy, verdict: Verdict, _: object, pricing: Pricing) -> Judged:
    """All books worth quoting, and one disposition for each instrument."""
    view = pricing.view
    if verdict.skipped is not None:
        return [], [unheard(spec, verdict.skipped) for spec in view.instruments]
    screen = Screen(strategy, verdict, pricing)
    rows: list[Opportunity] = []
    own: dict[int, Disposition] = {}
    for place in screen.worth:
        maker = maker_of(screen, place)
        answer = _sized(maker)
        if isinstance(answer, Offer):
            row = _told(answer)
            rows.append(row)
            own[maker.column] = found(maker.spec, row.opportunity_key, row.gates)
        else:
            own[maker.column] = answer
    return rows, Answers(screen, np.arange(view.size), own)


def _sized(maker: Maker) -> Offer | Disposition:
    screen, place, spec = maker.screen, maker.place, maker.spec
    binding, readings = screen.sizes.binding(place), screen.readings(place, len(screen.trial.gates))
    mid, usd = maker.number(screen.known.mid), maker.number(screen.known.usd)
    quantity = quantity_of(maker.number(screen.sizes.usd), mid, usd, spec)
    notional = float(quantity) * mid * usd
    need = least_usd(spec, mid, usd)
    if quantity <= 0 or notional < need:
        return below_least(spec, notional, need, binding, readings)
    edge = Economic("min_edge_bps", maker.edge_bps, 0.0, 1, "bps").reading
    return Offer(maker, quantity, notional, binding, (*readings, edge))


# ---- telling -------------------------------------------------------------------------------------


def _told(offer: Offer) -> Opportunity:
    maker, params = offer.maker, offer.maker.params
    view = maker.pricing.view
    level, facts = risk_of(_exposure(offer))
    sigma_frac = maker.sigma_bps / 1e4 * math.sqrt(params["horizon_s"])
    score = None
    if not maker.means.illustrative:
        held = maker.sigma_bps / 1e4 * math.sqrt(maker.seconds)
        filled = offer.notional_usd * maker.number(maker.screen.trial.quote.fill_share)
        score = rank_score(maker.edge_bps, filled, max(held, 1e-9), maker.means.profile)
    hourly = maker.edge_bps / 1e4 * offer.notional_usd * 3_600.0 / maker.seconds
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
        expected_s=maker.seconds,
        gross_bps=maker.gross_bps,
        costs=_lines(offer),
        edge_bps=maker.edge_bps,
        edge_usd=maker.edge_bps * offer.notional_usd / 1e4,
        edge_lcb_bps=maker.edge_bps,
        es95_usd=ES95_OF_SIGMA * sigma_frac * offer.notional_usd,
        break_even_s=None,
        break_even_hit_frac=None,
        capacity_usd=maker.number(maker.screen.known.capacity_usd),
        capacity_curve=(),
        size_min_usd=None,
        expires_ns=max(quote_ns + round(QUOTE_LIVES * limit_s * SECOND_NS), view.as_of_ns),
        half_life_s=None,
        strength=maker.delta_bps / maker.least_bps,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="analytic",
        evidence=_card(maker),
        risk_level=level,
        risk_facts=facts | {"usd_per_hour": hourly, "round_trip_s": maker.seconds},
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
        maker.sigma_bps, sizes * maker.params["inventory_sizes"], maker.params["gamma"], maker.params["tau_s"]
    )
    fair, delta = maker.number(maker.screen.known.mid) * (1.0 + shift / 1e4), maker.delta_bps / 1e4
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
    maker, trip = offer.maker, offer.maker.screen.trial.trip
    adverse, inventory = maker.number(trip.adverse_bps), maker.number(trip.inventory_bps)
    hidden = adverse + inventory
    words = f"move against whoever is hit {adverse:.2f}, risk of holding {inventory:.2f} bps"
    fee = maker.fee
    basis = f"maker, {fee.venue} {fee.kind} tier '{fee.tier}'" + (" assumed" if fee.assumed else "")
    rows: tuple[tuple[Any, float, str, str], ...] = (
        ("gross", maker.gross_bps, "flow", "twice the distance from the reservation price"),
        ("fee_entry", -fee.maker_bps, fee.source, basis),
        ("fee_exit", -fee.maker_bps, fee.source, basis),
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
    sigma = maker.sigma_bps / 1e4 * math.sqrt(params["horizon_s"])
    return Exposure(
        notional_usd=sizes * offer.notional_usd,
        required_usd=2.0 * offer.notional_usd,
        stop_frac=params["jump"] * maker.fact("sigma_minute"),
        cost_frac=maker.half_spread_bps / 1e4,
        es99_frac=ES99_OF_SIGMA * sigma,
        leverage=1.0,
        volume_24h_usd=maker.number(maker.screen.known.volume_usd),
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
        n_eff=WINDOW_S / MINUTE_S,
        clusters_count=int(WINDOW_S / MINUTE_S),
        grade="analytic",
    )


def _inputs(maker: Maker) -> tuple[InputAge, ...]:
    view = maker.pricing.view
    tape = view.trades[maker.spec.instrument]
    times = {
        "quotes": int(maker.pricing.touch.event_ns[maker.column]),
        "books": int(view.books.event_ns[maker.column]),
        "trades": int(tape.event_ns[-1]),
        "bars": view.bars[maker.screen.known.verdict.interval].last_close_ns or 0,
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
    maker, trial = offer.maker, offer.maker.screen.trial
    where = "inside the touch" if trial.quote.inside[maker.place] else "at or behind the touch"
    return (
        (
            f"Quotes {maker.delta_bps:.1f} bps from the mid, {where}; the half spread is {maker.half_spread_bps:.1f} and "
            f"{maker.least_bps:.1f} are needed for fee, adverse selection and margin."
        ),
        (
            f"Sweeps decay by {maker.fact('k'):.3f} per bps; of the slower side {60 * maker.number(trial.per_second):.1f} a minute "
            f"reach the quote, and a round trip takes {maker.seconds:.0f} s."
        ),
        (
            f"A round trip leaves {maker.edge_bps:.1f} of {maker.gross_bps:.1f} bps, about {hourly:.2f} USD an hour at "
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
    if maker.fee.assumed:
        told.append(f"The fee is the entry tier of {maker.spec.instrument.venue}, assumed.")
    if maker.means.illustrative:
        told.append(
            "No account is connected: sizes are illustrative, for 1,000 USD, and not ranked for a person."
        )
    if maker.pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
