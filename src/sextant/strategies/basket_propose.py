"""From residuals that have strayed to one basket of bought and sold instruments, for one account."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.strategies.answers import Answers
from sextant.strategies.basket import LEAST_SHARE, Weights, neutral
from sextant.strategies.basket_assemble import BasketOffer, BasketSized, Member, assemble
from sextant.strategies.basket_costs import BasketTerms, basket_waterfall
from sextant.strategies.candidate import Candidate, candidate_of
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import SMALLEST_USD, Capacity, Pricing, Stay, capacity, terms_of
from sextant.strategies.dispositions import (
    Economic,
    below_least,
    economic,
    found,
    insufficient,
    negative_edge,
    unheard,
)
from sextant.strategies.proof import CAUTION, Cards, Evidence, Proof, proof_of
from sextant.strategies.refusals import refusals
from sextant.strategies.sizing import (
    ILLUSTRATIVE_USD,
    PROFILES,
    Binding,
    Idea,
    Means,
    least_usd,
    quantity_of,
    size_usd,
)

MOST_LEGS: Final = 8
"""Legs of one side."""

HEDGED_CAP: Final = 3.0
"""Position caps that a side of a hedged basket may reach."""

RESIDUAL_LIMIT: Final = 0.02

Refuse = Callable[[Member], Disposition]
"""What becomes of each member of a basket that is none."""


def judge_basket(strategy: Strategy, verdict: Verdict, cards: Cards, pricing: Pricing) -> Judged:
    """The basket of a strategy, if there is one, and one disposition for each instrument of the view, in its order."""
    view = pricing.view
    if verdict.skipped is not None:
        return [], [unheard(spec, verdict.skipped) for spec in view.instruments]
    refused = refusals(verdict, view)
    answers: dict[int, Disposition] = {}
    members: list[Member] = []
    for column in refused.open:
        spec, readings = view.instruments[column], refused.read.readings(column)
        candidate = candidate_of(strategy, verdict, column, pricing, readings)
        if candidate is None:
            answers[column] = economic(spec, Economic("shortable", 0.0, 1.0, 1), readings)
            continue
        member = _member(candidate, cards, pricing)
        if member.terms.unknown is None:
            members.append(member)
        else:
            lack = (f"cost.{member.terms.unknown}", 0.0, 1.0, "values")
            answers[column] = insufficient(spec, lack, readings)
    rows = _proposed(verdict, _placed(members, pricing, answers), pricing, answers)
    return rows, Answers(refused, np.arange(view.size), answers)


def _member(candidate: Candidate, cards: Cards, pricing: Pricing) -> Member:
    evidence = Evidence(cards, candidate.column, candidate.direction, candidate.strength)
    stay = Stay(
        candidate.executed, candidate.direction, candidate.horizon_s, candidate.sigma_day, stop_share=0.0
    )
    return Member(candidate, evidence, terms_of(pricing, stay))


def _placed(members: Sequence[Member], pricing: Pricing, answers: dict[int, Disposition]) -> list[Member]:
    """The strongest members of each side, one for each base asset, in the order of their names; others are disposed."""
    specs = pricing.view.instruments
    strongest = sorted(
        members, key=lambda one: (-one.candidate.strength, str(specs[one.candidate.column].instrument))
    )
    bases: set[str] = set()
    places = {1: 0, -1: 0}
    kept: list[Member] = []
    for member in strongest:
        candidate = member.candidate
        base = specs[candidate.executed].instrument.base
        places[candidate.direction] += base not in bases
        place = float(places[candidate.direction])
        if base in bases:
            answers[candidate.column] = _economic(pricing, member, Economic("one_per_asset", 2.0, 1.0, -1))
        elif place > MOST_LEGS:
            check = Economic("basket_place", place, float(MOST_LEGS), -1, "legs")
            answers[candidate.column] = _economic(pricing, member, check)
        else:
            kept.append(member)
        bases.add(base)
    return sorted(kept, key=lambda one: str(specs[one.candidate.column].instrument))


def _proposed(
    verdict: Verdict, members: list[Member], pricing: Pricing, answers: dict[int, Disposition]
) -> list[Opportunity]:
    """The basket of the members that fit together; every member is disposed."""
    if not members:
        return []
    columns = [member.candidate.column for member in members]
    wanted = (
        np.array([member.candidate.direction for member in members]) / verdict.facts["spread"][-1, columns]
    )
    assert verdict.hedge is not None  # noqa: S101  # a basket is one against factors
    weights = neutral(wanted, verdict.hedge.exposures()[columns])
    breadth, least = float(min(weights.longs, weights.shorts)), verdict.params["basket_breadth"]
    if breadth < least:
        check = Economic("basket_members", breadth, least, 1, "legs")
        answers |= {one.candidate.column: _economic(pricing, one, check) for one in members}
        return []
    kept = [member for member, stays in zip(members, weights.kept.tolist(), strict=True) if stays]
    for member, stays in zip(members, weights.kept.tolist(), strict=True):
        if not stays:
            check = Economic("basket_weight", 0.0, LEAST_SHARE, 1, "of the mean weight")
            answers[member.candidate.column] = _economic(pricing, member, check)
    answer = _sized(_offer(verdict, kept, weights, pricing))
    if isinstance(answer, Opportunity):
        for member in kept:
            spec = pricing.view.instruments[member.candidate.column]
            answers[member.candidate.column] = found(spec, answer.opportunity_key, member.candidate.readings)
        return [answer]
    answers |= {member.candidate.column: answer(member) for member in kept}
    return []


def _economic(pricing: Pricing, member: Member, check: Economic) -> Disposition:
    candidate = member.candidate
    return economic(pricing.view.instruments[candidate.column], check, candidate.readings)


def _offer(verdict: Verdict, kept: list[Member], weights: Weights, pricing: Pricing) -> BasketOffer:
    size = np.abs(weights.value[weights.kept])
    columns = [member.candidate.column for member in kept]
    spread = verdict.facts["spread"][-1, columns]
    terms = BasketTerms(tuple(member.terms for member in kept), tuple(size.tolist()))
    return BasketOffer(
        verdict=verdict,
        members=tuple(kept),
        pricing=pricing,
        terms=terms,
        proof=_proof(kept, size),
        means=_means(kept, size, pricing),
        # Two draws from where a residual stands in the long run: it begins at one and ends at another.
        sigma_frac=math.sqrt(2.0 * math.fsum((size * spread) ** 2)),
    )


def _proof(kept: list[Member], size: Floats) -> Proof:
    """What past events prove of all legs together; nothing where one leg is unproven.

    The errors are added as if they were one: the legs share their past events.
    """
    proofs = [proof_of(member.evidence.glance) for member in kept]
    gross = [proof.gross_bps for proof in proofs if proof.gross_bps is not None]
    error = [proof.error_bps for proof in proofs if proof.error_bps is not None]
    if len(gross) < len(kept) or len(error) < len(kept):
        return Proof(None, None)
    return Proof(math.fsum(size * np.array(gross)), math.fsum(size * np.array(error)))


def _means(kept: list[Member], size: Floats, pricing: Pricing) -> Means:
    """The means for a hedged basket; ``free_usd`` is the largest reference notional that all venues together carry."""
    account = pricing.account
    profile = PROFILES[account.profile]
    hedged = dataclasses.replace(profile, position_cap_frac=HEDGED_CAP * profile.position_cap_frac)
    needs: dict[str, list[float]] = {}
    for member, weight in zip(kept, size.tolist(), strict=True):
        venue = pricing.view.instruments[member.candidate.executed].instrument.venue
        needs.setdefault(venue, []).append(weight)
    if account.equity_usd is None:
        return Means(ILLUSTRATIVE_USD, ILLUSTRATIVE_USD / math.fsum(size), hedged, illustrative=True)
    largest = min(account.free_usd.get(venue, 0.0) / math.fsum(parts) for venue, parts in needs.items())
    return Means(account.equity_usd, largest, hedged, illustrative=False)


def _sized(offer: BasketOffer) -> Opportunity | Refuse:
    """The basket at its size, or what becomes of its members."""
    terms, gross, pricing = offer.terms, offer.proof.gross_bps, offer.pricing
    specs = pricing.view.instruments
    room = Capacity(None, terms.greatest_usd) if gross is None else capacity(terms, gross)
    if gross is not None and room.largest_usd is None:
        cost = terms.cost_bps(min(SMALLEST_USD, terms.greatest_usd))
        return lambda one: negative_edge(specs[one.candidate.column], gross, cost, one.candidate.readings)
    wanted, binding = _wanted(offer, room.largest_usd or terms.greatest_usd)
    quantities = tuple(
        quantity_of(wanted * weight, mid, 1.0, specs[member.candidate.executed])
        for member, weight, mid in zip(offer.members, terms.weights, offer.mids, strict=True)
    )
    usd = np.array([float(units) for units in quantities]) * np.array(offer.mids)
    least = np.array(
        [
            least_usd(specs[member.candidate.executed], mid, 1.0)
            for member, mid in zip(offer.members, offer.mids, strict=True)
        ]
    )
    short = int(np.argmin(usd / least))
    if usd[short] < least[short] or usd[short] <= 0:
        have, need = float(usd[short]), float(least[short])
        return lambda one: below_least(
            specs[one.candidate.column], have, need, binding, one.candidate.readings
        )
    return _checked(offer, (quantities, usd), binding, room)


def _wanted(offer: BasketOffer, largest: float) -> tuple[float, Binding]:
    """The reference notional; Kelly is asked at the costs of the smallest size, which are the least."""
    gross, error = offer.proof.gross_bps, offer.proof.error_bps
    lcb = None
    if gross is not None and error is not None:
        lcb = (gross - CAUTION * error - offer.terms.cost_bps(min(SMALLEST_USD, largest))) / 1e4
    idea = Idea(
        stop_frac=None,
        es99_frac=offer.loss_frac,
        exit_cost_frac=(offer.terms.fee_bps + 0.5 * offer.terms.spread_bps) / 1e4,
        volume_24h_usd=offer.volume_24h_usd,
        capacity_usd=largest,
        edge_lcb_frac=lcb,
        variance_frac=offer.sigma_frac**2,
    )
    return size_usd(idea, offer.means)


def _checked(
    offer: BasketOffer, filled: tuple[tuple[Decimal, ...], Floats], binding: Binding, room: Capacity
) -> Opportunity | Refuse:
    """The opportunity, if its edge and its economic gates hold at its size."""
    quantities, usd = filled
    sides = np.array([member.candidate.direction for member in offer.members])
    notional = max(float(usd[sides > 0].sum()), float(usd[sides < 0].sum()))
    lines = basket_waterfall(offer.pricing, offer.terms, offer.proof.gross_bps, notional)
    specs, gross = offer.pricing.view.instruments, offer.proof.gross_bps
    cost = -math.fsum(line.bps or 0.0 for line in lines[1:])
    residual = abs(float((sides * (usd - notional * np.array(offer.terms.weights))).sum())) / notional
    checks = [Economic("lot_match", residual, RESIDUAL_LIMIT, -1)]
    if not offer.means.illustrative:
        least = offer.strategy.min_capital_usd
        checks.append(Economic("min_capital", offer.means.equity_usd, least, 1, "USD"))
    readings: tuple[GateReading, ...] = offer.lead.candidate.readings
    if gross is not None:
        edge = Economic("min_edge_bps", gross - cost, 0.0, 1, "bps")
        if edge.value <= 0:
            return lambda one: negative_edge(specs[one.candidate.column], gross, cost, one.candidate.readings)
        readings = (*readings, edge.reading)
    for check in checks:
        if not check.reading.passed:
            return _refusal(offer.pricing, check)
        readings = (*readings, check.reading)
    return assemble(offer, BasketSized(quantities, usd, notional, binding, room, lines, readings))


def _refusal(pricing: Pricing, check: Economic) -> Refuse:
    return lambda one: _economic(pricing, one, check)
