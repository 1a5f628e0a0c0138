"""From cycles to opportunities and dispositions, for one account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec
import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import is_dollar
from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import SECOND_NS
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import SMALLEST_USD, Capacity, Pricing, capacity
from sextant.strategies.cycle_assemble import CycleOffer, CycleTerms, assemble
from sextant.strategies.cycles import CycleSet, Filled, cycles_of, fill, greatest, hop_of
from sextant.strategies.dispositions import (
    Economic,
    Lack,
    below_least,
    economic,
    found,
    insufficient,
    negative_edge,
    unheard,
)
from sextant.strategies.gates import SPREAD_CAPS_BPS, VOLUME_FLOORS_USD
from sextant.strategies.sizing import (
    MISSED_HEDGE_FRAC,
    Binding,
    Idea,
    Means,
    least_usd,
    means_of,
    size_usd,
)

Readings: TypeAlias = tuple[GateReading, ...]
NOWHERE: Final = cycles_of(())
GATES: Final = (
    ("status", 1.0, 1, ""),
    ("volume_24h_usd", VOLUME_FLOORS_USD["spot"], 1, "USD"),
    ("spread_bps", SPREAD_CAPS_BPS["spot"], -1, "bps"),
)
"""The common gates of spot instruments: name, threshold, sense and unit."""


@dataclass(frozen=True, eq=False)
class CycleVerdict(Verdict):
    """What is said about every cycle; ``facts`` have one column for each: ``mid_bps`` and ``executable_bps``."""

    cycles: CycleSet = field(default_factory=lambda: NOWHERE)


@dataclass(frozen=True, eq=False)
class _Open:
    """A cycle that prices and fees leave a gain, at the touch."""

    place: int
    terms: CycleTerms
    room: Capacity
    readings: Readings


def judge_cycles(
    strategy: Strategy, verdict: Verdict, cards: Callable[[int, int, float], Scorecard], pricing: Pricing
) -> Judged:
    """All opportunities among the cycles, and one disposition for each cycle, in the order of their names.

    Notes
    -----
    Nearly all cycles lose their fees, whoever asks: that is told once for all who pay the same.
    """
    del cards
    if not isinstance(verdict, CycleVerdict):
        reason = verdict.skipped or "no cycles"
        return [], [unheard(spec, reason) for spec in pricing.view.instruments]
    key = ("cycles", strategy.id, *sorted(verdict.params.items()))
    screened = pricing.tariff.once(key, lambda: _screened(strategy, verdict, pricing))
    rows, told = [], []
    for case in screened:
        if isinstance(case, Disposition):
            told.append(case)
            continue
        subject = verdict.cycles.subjects[case.place]
        answer = _answer(strategy, verdict, case, pricing)
        if isinstance(answer, Opportunity):
            rows.append(answer)
            told.append(found(subject, answer.opportunity_key, answer.gates))
        else:
            told.append(answer)
    return rows, told


def _screened(strategy: Strategy, verdict: CycleVerdict, pricing: Pricing) -> list[Disposition | _Open]:
    """Of each cycle why it is refused whoever asks, or the terms at which it is open."""
    cycles, facts = verdict.cycles, verdict.facts
    gates = _common(pricing, cycles)
    lacks = _lacks(strategy, pricing, cycles, gates)
    gains, fees = facts["mid_bps"][0], pricing.taker_bps[cycles.legs].sum(axis=1)
    costs = fees + gains - facts["executable_bps"][0]
    least = verdict.params["least_edge_bps"]
    out: list[Disposition | _Open] = []
    for place, subject in enumerate(cycles.subjects):
        if place in lacks:
            out.append(insufficient(subject, lacks[place]))
            continue
        checks = [
            Economic(name, value, threshold, sense, unit)
            for (name, threshold, sense, unit), value in zip(GATES, gates[:, place].tolist(), strict=True)
        ]
        readings = tuple(check.reading for check in checks)
        failed = [check for check in checks if not check.reading.passed]
        gross, cost = float(gains[place]), float(costs[place])
        if failed:
            refused = economic(subject, failed[0], ())
            out.append(msgspec.structs.replace(refused, failed_count=len(failed), gates=readings))
        elif not gross > cost:
            out.append(negative_edge(subject, gross, cost, readings))
        elif not gross - cost >= least:
            out.append(economic(subject, Economic("least_edge_bps", gross - cost, least, 1, "bps"), readings))
        else:
            out.append(_opened(strategy, verdict, (place, readings), pricing))
    return out


def _common(pricing: Pricing, cycles: CycleSet) -> Floats:
    """What :data:`GATES` read of each cycle, (G, C): of the instrument that passes the least."""
    trading = np.array([float(spec.status == "trading") for spec in pricing.view.instruments])
    legs = cycles.legs
    return np.vstack(
        (
            trading[legs].min(axis=1),
            pricing.volume_24h_usd[legs].min(axis=1),
            pricing.touch.spread_bps[legs].max(axis=1),
        )
    )


def _lacks(strategy: Strategy, pricing: Pricing, cycles: CycleSet, gates: Floats) -> dict[int, Lack]:
    """By cycle the first input that falls short: a quote, its age, what a common gate reads, or the fees of the venue."""
    limit_ms = _age_s(strategy) * 1e3
    ages_ms = pricing.touch.age_ms[cycles.legs].max(axis=1)
    fees = pricing.taker_bps[cycles.legs].sum(axis=1)
    lacks: dict[int, Lack] = {}
    for place in np.flatnonzero(
        ~(ages_ms <= limit_ms) | np.isnan(gates).any(axis=0) | np.isnan(fees)
    ).tolist():
        unread = np.flatnonzero(np.isnan(gates[:, place])).tolist()
        if np.isnan(ages_ms[place]):
            lacks[place] = ("quotes", 0.0, 1.0, "quotes")
        elif not ages_ms[place] <= limit_ms:
            lacks[place] = ("quote.age_ms", float(ages_ms[place]), limit_ms, "ms")
        elif unread:
            name, threshold, _, unit = GATES[unread[0]]
            lacks[place] = (f"gate.{name}", 0.0, threshold, unit)
        else:
            lacks[place] = ("cost.fees", 0.0, 1.0, "values")
    return lacks


def _age_s(strategy: Strategy) -> float:
    return next(need.greatest_age_s for need in strategy.needs if need.column == "quotes")


def _opened(
    strategy: Strategy, verdict: CycleVerdict, case: tuple[int, Readings], pricing: Pricing
) -> Disposition | _Open:
    """The terms of a cycle, if its books leave a gain at any size."""
    (place, readings), cycles = case, verdict.cycles
    subject = cycles.subjects[place]
    columns, sides = cycles.legs[place].tolist(), cycles.sides[place].tolist()
    fees = (pricing.taker_bps[columns] / 1e4).tolist()
    age_ns = _age_s(strategy) * SECOND_NS
    hops = tuple(
        hop_of(pricing.view, pricing.touch, (column, side), fee, age_ns)
        for column, side, fee in zip(columns, sides, fees, strict=True)
    )
    start = cycles.starts[place]
    usd = _usd_of(start, pricing, columns)
    if not np.isfinite(usd):
        return insufficient(subject, (f"usd.{start}", 0.0, 1.0, "values"), readings)
    most = greatest(hops) * usd
    if not (np.isfinite(most) and most > 0):
        return insufficient(subject, ("cost.depth", 0.0, 1.0, "values"), readings)
    terms = CycleTerms(
        hops=hops,
        columns=tuple(columns),
        start=start,
        usd=usd,
        gross_bps=float(verdict.facts["mid_bps"][0, place]),
        executable_bps=float(verdict.facts["executable_bps"][0, place]),
        greatest_usd=most,
    )
    room = capacity(terms, terms.gross_bps)
    if room.largest_usd is None:
        smallest = min(SMALLEST_USD, most)
        return negative_edge(subject, terms.gross_bps, terms.cost_bps(smallest), readings)
    return _Open(place, terms, room, readings)


def _usd_of(start: str, pricing: Pricing, columns: Sequence[int]) -> float:
    """USD per unit of the asset that a cycle begins with, of which at least one of its instruments states prices."""
    if is_dollar(start):
        return 1.0
    quoted = (column for column in columns if pricing.view.instruments[column].instrument.quote == start)
    return float(pricing.usd[next(quoted)])


def _answer(
    strategy: Strategy, verdict: CycleVerdict, case: _Open, pricing: Pricing
) -> Opportunity | Disposition:
    """The opportunity that a cycle is for this account, or why it is none."""
    subject, terms, readings = verdict.cycles.subjects[case.place], case.terms, case.readings
    means = _means(pricing, terms)
    wanted, binding = _wanted_usd(case, means)
    filled = fill(terms.hops, wanted / terms.usd)
    have, need = _least(terms, filled, wanted, pricing)
    if filled is None or have < need:
        return below_least(subject, have, need, binding, readings)
    edge_bps = filled.edge_frac * 1e4
    if not edge_bps > 0:
        return negative_edge(subject, terms.gross_bps, terms.gross_bps - edge_bps, readings)
    checks = [
        Economic("min_edge_bps", edge_bps, 0.0, 1, "bps"),
        Economic("least_edge_bps", edge_bps, verdict.params["least_edge_bps"], 1, "bps"),
        Economic("dust_frac", filled.dust_frac, verdict.params["dust_frac"], -1),
    ]
    if not means.illustrative:
        checks.append(Economic("min_capital", means.equity_usd, strategy.min_capital_usd, 1, "USD"))
    for check in checks:
        if not check.reading.passed:
            return economic(subject, check, readings)
        readings = (*readings, check.reading)
    offer = CycleOffer(strategy, verdict.params, str(subject), terms, case.room, means, pricing)
    return assemble(offer, filled, binding, readings)


def _means(pricing: Pricing, terms: CycleTerms) -> Means:
    """What the account can begin with: what it holds of the start at the venue, where its balances there are known."""
    account, venue = pricing.account, terms.hops[0].spec.instrument.venue
    means = means_of(account, venue)
    there = [balance for balance in account.balances if balance.venue == venue]
    if means.illustrative or not there:
        return means
    units = sum(
        float(balance.total if balance.free is None else balance.free)
        for balance in there
        if balance.asset == terms.start
    )
    return Means(means.equity_usd, units * terms.usd, means.profile, illustrative=False)


def _wanted_usd(case: _Open, means: Means) -> tuple[float, Binding]:
    assert case.room.largest_usd is not None  # noqa: S101  # only cycles with room are open
    half = np.array([case.room.largest_usd / 2.0])
    edge = case.terms.gross_bps - case.terms.fixed_bps - float(case.terms.slippage_bps(half)[0])
    sizing = Idea(
        stop_frac=None,
        es99_frac=MISSED_HEDGE_FRAC,
        exit_cost_frac=0.0,
        volume_24h_usd=np.inf,
        capacity_usd=case.room.largest_usd,
        edge_lcb_frac=edge / 1e4,
        variance_frac=MISSED_HEDGE_FRAC**2,
    )
    return size_usd(sizing, means)


def _least(terms: CycleTerms, filled: Filled | None, wanted: float, pricing: Pricing) -> tuple[float, float]:
    """What an order is worth and the least that its venue takes, USD, of the leg that is closest to it."""
    usd = [float(pricing.usd[column]) for column in terms.columns]
    least = [
        least_usd(hop.spec, float(hop.price[0]), per_quote)
        for hop, per_quote in zip(terms.hops, usd, strict=True)
    ]
    if filled is None:  # one lot is more than what the order before it brings
        return min(wanted, max(least)), max(least)
    have = [
        float(quantity) * price * per_quote
        for quantity, price, per_quote in zip(filled.quantities, filled.prices, usd, strict=True)
    ]
    return min(zip(have, least, strict=True), key=lambda leg: leg[0] / leg[1] if leg[1] > 0 else np.inf)
