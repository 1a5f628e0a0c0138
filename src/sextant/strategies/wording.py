"""Why an idea is shown, and what to beware of: sentences built from facts, each with value, threshold and since when."""

from __future__ import annotations

from typing import Final

from sextant.model.opportunity import CostLine, Size
from sextant.model.scorecard import Scorecard
from sextant.model.times import iso_ms
from sextant.strategies.candidate import Candidate, first_seen_ns
from sextant.strategies.costs import Pricing, Terms
from sextant.strategies.gates import without

DECAYED: Final = 2.6  # strategies.md 2.9: beyond it chance is no explanation

_COMMON = frozenset(
    {"kind", "status", "stable_quote", "trigger_age_rows", "room_to_stop", "room_to_target", "quote_ran"}
)


def reasons(
    candidate: Candidate, pricing: Pricing, card: Scorecard, costs: tuple[CostLine, ...], size: Size
) -> tuple[str, ...]:
    """Why the idea is shown, what it has earned, what it costs, and what bounds its size."""
    senses = {gate.name: (gate.sense, gate.unit) for gate in candidate.verdict.gates}
    told: list[str] = []
    for reading in candidate.readings:
        if reading.value is not None and reading.gate not in _COMMON:
            sense, unit = senses[reading.gate]
            limit = "at least" if sense > 0 else "at most"
            unit = f" {unit}" if unit else ""
            told.append(
                f"{reading.gate} is {reading.value:.4g}{unit}, {limit} {reading.threshold:.4g} is asked."
            )
    since = iso_ms(first_seen_ns(candidate, pricing))
    limit_rows = next((r.threshold for r in candidate.readings if r.gate == "trigger_age_rows"), None)
    bound = "" if limit_rows is None else f", at most {limit_rows:g} are asked"
    told.append(
        f"All gates have passed together since {since}, {candidate.trigger_age} rows of {candidate.verdict.interval} ago{bound}."
    )
    cost_bps = -sum(line.bps or 0.0 for line in costs[1:])
    gross = costs[0].bps
    if gross is not None:
        told.append(
            f"{card.n} past events ({card.n_eff:.0f} independent) stand for {gross:.1f} bps gross after shrinkage; "
            f"costs are {cost_bps:.1f} bps at {size.notional_usd:.0f} USD."
        )
    told.append(f"Size {size.notional_usd:.0f} USD is bound by {size.binding}.")
    return tuple(told)


def unproven(card: Scorecard, withheld: str = "edge and confidence are") -> str:
    """The warning that too little is known of the past."""
    lack = card.reason or f"{card.n_eff:.0f} of 30 independent events"
    return f"Unproven: {lack}; {withheld} withheld and the size is a quarter of the risk budget."


def spread_assumed(pricing: Pricing) -> str:
    """The warning that a recording holds no quotes."""
    return f"The spread is assumed to be {pricing.assumptions.spread_bps_assumed:g} bps around the last close: the recording has no quotes."


def warnings(
    candidate: Candidate, pricing: Pricing, card: Scorecard, terms: Terms, size: Size
) -> tuple[str, ...]:
    """What the reader must know before trusting the numbers."""
    view = pricing.view
    own, executed = view.instruments[candidate.column], view.instruments[candidate.executed]
    told: list[str] = []
    if card.n_eff < 30:
        told.append(unproven(card))
    if card.miscalibrated:
        told.append(
            "Confidence is withheld: live ideas of this strength have done otherwise than was stated."
        )
    if card.edge_decay_z is not None and card.edge_decay_z < -DECAYED:
        told.append(
            f"Live ideas of this strategy earn less than its past: {card.edge_decay_z:.1f} standard errors."
        )
    if pricing.touch.assumed:
        told.append(spread_assumed(pricing))
    if terms.entry.kind == "law":
        told.append("Slippage beyond the touch is modelled by the square-root law: no book is known.")
    if terms.fee is not None and terms.fee.assumed:
        told.append(
            f"Fees are the {terms.fee.venue} entry tier ({terms.fee.taker_bps:g} bps taker), assumed."
        )
    skipped = without(candidate.verdict)
    if skipped:
        told.append(f"Evidence is computed without {', '.join(skipped)}: they have no history.")
    if candidate.executed != candidate.column:
        told.append(
            f"The short is realised by {executed.instrument}; evidence is measured on {own.instrument}."
        )
    if size.illustrative:
        told.append(
            "No account is connected: sizes are illustrative, for 1,000 USD, and not ranked for a person."
        )
    if view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
