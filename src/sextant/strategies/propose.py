"""From a verdict and its evidence to opportunities and dispositions, for one account."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Final

import numpy as np

from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.strategies.answers import Answers
from sextant.strategies.assemble import Offer, Sized, assemble, cost_of
from sextant.strategies.candidate import Candidate, candidate_of
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import (
    SMALLEST_USD,
    Capacity,
    Pricing,
    Stay,
    capacity_of,
    terms_of,
    waterfall,
)
from sextant.strategies.dispositions import (
    Economic,
    below_least,
    economic,
    found,
    insufficient,
    negative_edge,
    unheard,
)
from sextant.strategies.leverage import SIGMAS_AWAY, STOPS_AWAY, leverage_of
from sextant.strategies.proof import CAUTION, Cards, Evidence, proof_of
from sextant.strategies.refusals import Refusals, refusals
from sextant.strategies.sizing import (
    ES99_OF_SIGMA,
    Binding,
    Idea,
    least_usd,
    means_of,
    quantity_of,
    size_usd,
)

MIN_EDGE_BPS: Final = 0.0
SMALLEST_STOP_FRAC: Final = 1e-6
PAYOFF_LIMIT: Final = 0.60
"""Share of events that may at most be needed to pay the costs; a strategy's own parameter ``payoff`` comes first."""


def judge(
    strategy: Strategy,
    verdict: Verdict,
    cards: Cards,
    pricing: Pricing,
) -> Judged:
    """All opportunities of a strategy, and one disposition for each instrument of the view, in its order.

    Parameters
    ----------
    strategy, verdict
        What was said; a skipped verdict disposes every instrument with its reason.
    cards
        Evidence for a column of the last row; read for candidates only.
    pricing
        The market, who asks, and what may be assumed where a replay has no quotes.

    Notes
    -----
    Two instruments may lead to the same trade (a spot instrument and the perpetual that realises its short). It is shown
    once, by the instrument that is traded itself where there is one; both are disposed ``opportunity``.
    """
    view = pricing.view
    if verdict.skipped is not None:
        skipped = verdict.skipped
        return [], [unheard(spec, skipped) for spec in view.instruments]
    refused = refusals(verdict, view)
    chosen: dict[str, tuple[bool, str, Opportunity]] = {}
    own: dict[int, Disposition] = {}
    eaten = _eaten(strategy, refused, pricing)
    for column in refused.open:
        if column in eaten:
            own[column] = eaten[column]
            continue
        spec, readings = view.instruments[column], refused.read.readings(column)
        candidate = candidate_of(strategy, verdict, column, pricing, readings)
        if candidate is None:
            own[column] = economic(spec, Economic("shortable", 0.0, 1.0, 1), readings)
            continue
        evidence = Evidence(cards, column, candidate.direction, candidate.strength)
        answer = propose(candidate, evidence, pricing, eaten)
        if isinstance(answer, Opportunity):
            own[column] = found(spec, answer.opportunity_key, answer.gates)
            entry = (answer.legs[0].instrument != spec.instrument, str(spec.instrument), answer)
            present = chosen.get(answer.opportunity_key)
            if present is None or entry[:2] < present[:2]:
                chosen[answer.opportunity_key] = entry
        else:
            own[column] = answer
    return [entry[2] for entry in chosen.values()], Answers(refused, np.arange(view.size), own)


def _eaten(strategy: Strategy, refused: Refusals, pricing: Pricing) -> dict[int, Disposition]:
    """By column, who is refused because costs eat the gross at every size: shared by all accounts of these fees.

    Notes
    -----
    What is held or may be borrowed is asked before costs are, so such accounts and strategies share nothing; nor does an
    idea that some other instrument realises, which the venues of an account decide.
    """
    if strategy.levered or pricing.account.holds:
        return {}
    return pricing.tariff.once(("eaten", refused), dict)


def propose(
    candidate: Candidate, evidence: Evidence, pricing: Pricing, eaten: dict[int, Disposition] | None = None
) -> Opportunity | Disposition:
    """The opportunity a candidate is for this account, or why it is none.

    Parameters
    ----------
    eaten
        Where it is noted if costs eat its gross at every size.
    """
    spec, traded = (pricing.view.instruments[c] for c in (candidate.column, candidate.executed))
    card = evidence.glance
    stay = Stay(
        candidate.executed,
        candidate.direction,
        candidate.horizon_s,
        candidate.sigma_day,
        _stop_share(card),
        candidate.resting,
    )
    terms = terms_of(pricing, stay)
    if terms.unknown is not None:
        return insufficient(spec, (f"cost.{terms.unknown}", 0.0, 1.0, "values"), candidate.readings)
    if not math.isfinite(pricing.volume_24h_usd[candidate.executed]):
        return insufficient(spec, ("volume_24h_usd", 0.0, 1.0, "values"), candidate.readings)
    means, borrowed = means_of(pricing.account, traded.instrument.venue), None
    if candidate.owned is not None:
        unit = float(pricing.touch.mid[candidate.executed] * pricing.usd[candidate.executed])
        means = dataclasses.replace(means, free_usd=float(candidate.owned) * unit)
    elif candidate.strategy.levered:
        borrowed = leverage_of(traded, means.profile.leverage_cap, candidate.stop_frac)
        if borrowed is None:
            return insufficient(spec, ("instrument.max_leverage", 0.0, 1.0, "values"), candidate.readings)
        means = dataclasses.replace(means, free_usd=means.free_usd * borrowed.times)
    proof = proof_of(card)
    gross = proof.gross_bps
    room = Capacity(None, terms.greatest_usd) if gross is None else capacity_of(pricing, stay, gross)
    if gross is not None and room.largest_usd is None:
        cost = terms.cost_bps(min(SMALLEST_USD, terms.greatest_usd))
        refusal = negative_edge(spec, gross, cost, candidate.readings)
        if eaten is not None and candidate.executed == candidate.column:
            eaten[candidate.column] = refusal
        return refusal
    offer = Offer(candidate, evidence, pricing, terms, proof, means, borrowed)
    wanted, binding = _wanted(offer, room.largest_usd or terms.greatest_usd)
    bound = candidate.largest_usd
    if wanted > bound:
        wanted, binding = bound, "capacity"
    quantity = quantity_of(wanted, offer.mid, offer.usd, traded)
    notional = float(quantity) * offer.mid * offer.usd
    need = least_usd(traded, offer.mid, offer.usd)
    if quantity <= 0 or notional < need:
        return below_least(spec, notional, need, binding, candidate.readings)
    return _checked(offer, quantity, notional, binding, room)


def _checked(
    offer: Offer, quantity: Decimal, notional: float, binding: Binding, room: Capacity
) -> Opportunity | Disposition:
    """The opportunity at its size, if its edge and its economic gates hold there."""
    candidate, gross = offer.candidate, offer.proof.gross_bps
    spec = offer.pricing.view.instruments[candidate.column]
    lines = waterfall(offer.pricing, offer.terms, gross, notional)
    cost_bps = cost_of(lines)
    if gross is not None and gross - cost_bps <= MIN_EDGE_BPS:
        return negative_edge(spec, gross, cost_bps, candidate.readings)
    stop_bps, target_bps = candidate.stop_frac * 1e4, candidate.target_frac * 1e4
    payoff = (stop_bps + cost_bps) / (stop_bps + target_bps)
    checks = [Economic("payoff", payoff, candidate.verdict.params.get("payoff", PAYOFF_LIMIT), -1)]
    if not offer.means.illustrative:
        least = candidate.strategy.min_capital_usd
        checks.append(Economic("min_capital", offer.means.equity_usd, least, 1, "USD"))
    if offer.borrowed is not None:
        away = offer.borrowed.liquidation_frac
        # A quote that has reached the stop leaves no distance to divide by.
        stops, sigmas = away / max(candidate.stop_frac, SMALLEST_STOP_FRAC), away / candidate.sigma_day
        checks.append(Economic("liquidation_stops", stops, STOPS_AWAY, 1, "stops"))
        checks.append(Economic("liquidation_sigmas", sigmas, SIGMAS_AWAY, 1, "daily sd"))
    if offer.evidence.glance.kind == "analytic" and gross is not None and offer.proof.error_bps is not None:
        lcb = gross - cost_bps - CAUTION * offer.proof.error_bps
        checks.append(Economic("edge_lcb_bps", lcb, 0.0, 1, "bps"))
    readings = candidate.readings
    if gross is not None:
        readings = (*readings, Economic("min_edge_bps", gross - cost_bps, MIN_EDGE_BPS, 1, "bps").reading)
    for check in checks:
        if not check.reading.passed:
            return economic(spec, check, readings)
        readings = (*readings, check.reading)
    return assemble(offer, Sized(quantity, notional, binding, room, payoff, lines, readings))


def _wanted(offer: Offer, largest: float) -> tuple[float, Binding]:
    """The size; Kelly is asked twice, because the edge falls with the size it allows."""
    candidate, terms = offer.candidate, offer.terms
    fee_bps = 0.0 if terms.fee is None else terms.fee.taker_bps

    def sized(lcb_bps: float | None) -> tuple[float, Binding]:
        idea = Idea(
            stop_frac=candidate.stop_frac,
            es99_frac=ES99_OF_SIGMA * candidate.sigma_horizon,
            exit_cost_frac=(fee_bps + 0.5 * terms.spread_bps) / 1e4,
            volume_24h_usd=offer.volume_24h_usd,
            capacity_usd=largest,
            edge_lcb_frac=None if lcb_bps is None else lcb_bps / 1e4,
            variance_frac=offer.evidence.variance(),
        )
        return size_usd(idea, offer.means)

    gross, error = offer.proof.gross_bps, offer.proof.error_bps
    if gross is None or error is None:
        return sized(None)
    cautious = gross - CAUTION * error
    first = sized(cautious - terms.fixed_bps)
    if first[0] <= 0:
        return first
    return min(first, sized(cautious - terms.cost_bps(min(first[0], largest))))


def _stop_share(card: Scorecard) -> float:
    """Share of past exits that were stops; without any, all are taken to be."""
    total = sum(card.exits.values())
    return card.exits.get("stop", 0) / total if total else 1.0
