"""From what a strategy says about couples to opportunities and dispositions, for one account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.strategies.answers import Answers
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import SMALLEST_USD, Capacity, Pricing, capacity
from sextant.strategies.couple_assemble import CoupleSized, assemble, cost_of
from sextant.strategies.couple_costs import joint_terms, joint_waterfall
from sextant.strategies.couple_offer import CoupleOffer, gross_words
from sextant.strategies.couple_sizes import Filled, fill, least_of, means_of_couple, wanted_usd
from sextant.strategies.couples import CoupleSet, weights_of
from sextant.strategies.dispositions import (
    Economic,
    below_least,
    economic,
    found,
    insufficient,
    negative_edge,
    unheard,
)
from sextant.strategies.proof import CAUTION, PROVEN_EVENTS, Proof, proof_of
from sextant.strategies.refusals import refusals

MIN_EDGE_BPS: Final = 0.0
RESIDUAL_LIMIT: Final = 0.02
YEAR_S: Final = 365.0 * 86_400.0

CONTRACTUAL: Final = Scorecard(
    kind="analytic",
    status="analytic",
    reason="What is earned follows from prices and contracts; no frequency of past outcomes stands behind it.",
    source="model",
    bucket="all",
    n=0,
    n_eff=0.0,
    clusters_count=0,
)

Cards = Callable[[int, int, float], Scorecard]


@dataclass(frozen=True, eq=False)
class _Answer:
    """An opportunity with what it is compared by among those of its group."""

    row: Opportunity
    merit: float


def judge_couples(strategy: Strategy, verdict: Verdict, cards: Cards, pricing: Pricing) -> Judged:
    """All opportunities of a strategy of couples, and one disposition for each couple, in their order.

    Parameters
    ----------
    cards
        Evidence for a couple of the verdict; read for candidates only.

    Notes
    -----
    Where couples are grouped only the best of each group is shown, by the lower bound of its edge; the others are
    disposed ``gate_failed`` at ``best_of_group`` with both bounds.
    """
    said = verdict.couples
    if verdict.skipped is not None or said is None:
        reason = verdict.skipped or "no couples"
        return [], [unheard(spec, reason) for spec in pricing.view.instruments]
    refused = refusals(verdict, pricing.view)
    answers: dict[int, _Answer | Disposition] = {}
    for couple in refused.open:
        readings = refused.read.readings(couple)
        lost = _lost_at_once(said, couple, pricing, readings)
        if lost is not None:
            answers[couple] = lost
            continue
        direction = int(verdict.signals.direction[-1, couple])
        card = CONTRACTUAL
        if strategy.evidence_kind != "analytic":
            card = cards(couple, direction, float(verdict.signals.strength[-1, couple]))
        answers[couple] = _propose(strategy, verdict, (couple, card, readings), pricing)
    best = _best_of_groups(said, answers)
    rows: list[Opportunity] = []
    own: dict[int, Disposition] = {}
    for couple, answer in answers.items():
        subject = said.couples[couple]
        if isinstance(answer, Disposition):
            own[couple] = answer
        elif said.groups and best[said.groups[couple]] != couple:
            top = answers[best[said.groups[couple]]]
            assert isinstance(top, _Answer)  # noqa: S101  # only answers compete
            beaten = Economic("best_of_group", answer.merit, top.merit, 1, "bps")
            own[couple] = economic(subject, beaten, answer.row.gates)
        else:
            rows.append(answer.row)
            own[couple] = found(subject, answer.row.opportunity_key, answer.row.gates)
    return rows, Answers(refused, np.arange(said.count), own)


def _lost_at_once(
    said: CoupleSet, couple: int, pricing: Pricing, readings: tuple[GateReading, ...]
) -> Disposition | None:
    """The refusal of a couple that fees and spreads alone make a loss; most are, and nothing else need be priced."""
    if said.model is None or said.exits != ("trade", "trade"):
        return None
    expected = float(said.model.gross_bps[couple])
    pair = pricing.round_trip_bps[said.legs[couple]]
    cost = float(pair @ np.array(weights_of(float(said.ratio[couple]))))
    if not expected <= cost:  # neither is an unknown a loss
        return None
    return negative_edge(said.couples[couple], expected, cost, readings)


def _best_of_groups(said: CoupleSet, answers: Mapping[int, _Answer | Disposition]) -> dict[str, int]:
    best: dict[str, tuple[float, str, int]] = {}
    for couple, answer in answers.items():
        if said.groups and isinstance(answer, _Answer):
            entry = (-answer.merit, str(said.couples[couple]), couple)
            group = said.groups[couple]
            best[group] = min(entry, best.get(group, entry))
    return {group: entry[2] for group, entry in best.items()}


def _propose(
    strategy: Strategy,
    verdict: Verdict,
    case: tuple[int, Scorecard, tuple[GateReading, ...]],
    pricing: Pricing,
) -> _Answer | Disposition:
    """The opportunity a couple is for this account, or why it is none."""
    couple, card, readings = case
    said = verdict.couples
    assert said is not None  # noqa: S101  # the caller looked
    subject = said.couples[couple]
    direction = int(verdict.signals.direction[-1, couple])
    # Whoever pays the same fees is told the same costs, and up to which size they leave an edge.
    case_key = said, couple, direction, _stop_share(card)
    terms = pricing.tariff.once(("joint_terms", *case_key), lambda: joint_terms(pricing, *case_key))
    if terms.unknown is not None:
        return insufficient(subject, (f"cost.{terms.unknown}", 0.0, 1.0, "values"), readings)
    if not (np.isfinite(terms.greatest_usd) and terms.greatest_usd > 0):
        return insufficient(subject, ("cost.depth", 0.0, 1.0, "values"), readings)
    proof = _proof(said, couple, card)
    means, capital = means_of_couple(pricing, said, couple, direction)
    offer = CoupleOffer(strategy, verdict, couple, direction, card, pricing, terms, proof, means, capital)
    expected = offer.expected_bps
    room = Capacity(None, terms.greatest_usd)
    if expected is not None:
        room = pricing.tariff.once(("room", *case_key, expected), lambda: capacity(terms, expected))
    if expected is not None and room.largest_usd is None:
        cost = terms.cost_bps(min(SMALLEST_USD, terms.greatest_usd))
        return negative_edge(subject, expected, cost, readings)
    size, binding = wanted_usd(offer, room.largest_usd or terms.greatest_usd)
    filled = fill(offer, size)
    have, need = least_of(offer, filled)
    if have < need or filled.notional_usd <= 0:
        return below_least(subject, have, need, binding, readings)
    return _checked(offer, CoupleSized(filled, binding, room, (), readings))


def _checked(offer: CoupleOffer, sized: CoupleSized) -> _Answer | Disposition:
    """The opportunity at its size, if its edge and its economic gates hold there."""
    subject, filled, readings = offer.couple, sized.filled, sized.readings
    gross, expected = offer.proof.gross_bps, offer.expected_bps
    lines = joint_waterfall(offer.pricing, offer.terms, (gross, gross_words(offer)), filled.notional_usd)
    cost_bps = cost_of(lines)
    merit = 0.0
    if expected is not None:
        edge = expected - cost_bps
        if edge <= MIN_EDGE_BPS:
            return negative_edge(subject, expected, cost_bps, readings)
        readings = (*readings, Economic("min_edge_bps", edge, MIN_EDGE_BPS, 1, "bps").reading)
        merit = edge - CAUTION * (offer.error_bps or 0.0)
    for check in _economics(offer, filled, cost_bps):
        if not check.reading.passed:
            return economic(subject, check, readings)
        readings = (*readings, check.reading)
    return _Answer(assemble(offer, CoupleSized(filled, sized.binding, sized.room, lines, readings)), merit)


def _economics(offer: CoupleOffer, filled: Filled, cost_bps: float) -> list[Economic]:
    """The gates that stand behind the net edge, in their order."""
    asked, expected = offer.said.economics, offer.expected_bps
    horizon_s = offer.horizon_s
    checks = [Economic("lot_match", filled.residual_frac, RESIDUAL_LIMIT, -1)]
    if asked.break_even_share is not None:
        limit_s = asked.break_even_share * horizon_s
        checks.append(Economic("break_even_s", offer.break_even_s(cost_bps), limit_s, -1, "s"))
    if asked.least_edge_bps > 0 and expected is not None:
        checks.append(Economic("least_edge_bps", expected - cost_bps, asked.least_edge_bps, 1, "bps"))
    if asked.least_annual_frac is not None and expected is not None:
        annual = (expected - cost_bps) / 1e4 * YEAR_S / horizon_s
        checks.append(Economic("edge_annual_frac", annual, asked.least_annual_frac, 1))
    if asked.least_size_usd > 0:
        checks.append(Economic("least_size_usd", filled.notional_usd, asked.least_size_usd, 1, "USD"))
    if offer.card.kind == "analytic" and expected is not None:
        lcb = expected - cost_bps - CAUTION * (offer.error_bps or 0.0)
        checks.append(Economic("edge_lcb_bps", lcb, 0.0, 1, "bps"))
    if not offer.means.illustrative:
        least = offer.strategy.min_capital_usd
        checks.append(Economic("min_capital", offer.means.equity_usd, least, 1, "USD"))
    return checks


def _proof(said: CoupleSet, couple: int, card: Scorecard) -> Proof:
    """What may be claimed: the model's expectation where its past or its terms stand for it, else that of past events."""
    if said.model is None:
        return proof_of(card)
    gross, error = float(said.model.gross_bps[couple]), float(said.model.error_bps[couple])
    if not np.isfinite(gross):
        return Proof(None, None)
    if card.kind == "analytic":
        return Proof(gross, error if np.isfinite(error) else 0.0)
    if card.n_eff < PROVEN_EVENTS or not np.isfinite(error):
        return Proof(None, None)
    return Proof(gross, error)


def _stop_share(card: Scorecard) -> float:
    total = sum(card.exits.values())
    return card.exits.get("stop", 0) / total if total else 1.0
