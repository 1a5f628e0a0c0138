"""From candidate structures to opportunities and dispositions, for one account: the third step of strategies of options."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, DispositionKind, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic
from sextant.strategies.option_assemble import OptionOffer, OptionSize, assemble
from sextant.strategies.option_costs import PricedStructure, charges_of
from sextant.strategies.option_ideas import ChainVerdict, Idea, Lack, Underlying
from sextant.strategies.sizing import Binding, Means, means_of, size_usd
from sextant.strategies.sizing import Idea as Sizing

NO_CHAIN: Final[Lack] = ("chain", 0.0, 1.0, "chains")

_WORSE: Final[dict[DispositionKind, int]] = {
    "negative_net_edge": 0,
    "gate_failed": 0,
    "below_min_notional": 0,
    "insufficient_data": 1,
}
"""Which dispositions of a candidate say less: it was not looked at."""


def judge_options(
    strategy: Strategy, verdict: Verdict, cards: Callable[[int, int, float], Scorecard], pricing: Pricing
) -> Judged:
    """At most one opportunity an underlying, and one disposition for each instrument of the view, in its order.

    Notes
    -----
    All instruments of a base share what became of its best candidate: an opportunity of highest cautious edge by shortfall,
    else the candidate with the fewest failed gates, else the nearest one. ``cards`` is not asked: the evidence of
    a structure is in its scenarios.
    """
    del cards
    said = verdict.underlyings if isinstance(verdict, ChainVerdict) else {}
    rows: list[Opportunity] = []
    answers: dict[str, Opportunity | Disposition] = {}
    for base, underlying in said.items():
        answer = _judged(strategy, verdict, underlying, pricing)
        answers[base] = answer
        if isinstance(answer, Opportunity):
            rows.append(answer)
    dispositions = [_told(spec, answers.get(spec.instrument.base)) for spec in pricing.view.instruments]
    return rows, dispositions


def _told(spec: InstrumentSpec, answer: Opportunity | Disposition | None) -> Disposition:
    """What became of an instrument: what became of its underlying."""
    unit, own = str(spec.instrument), (spec.instrument,)
    if answer is None:
        return _insufficient(unit, own, NO_CHAIN)
    if isinstance(answer, Opportunity):
        return Disposition(
            unit=unit,
            instruments=own,
            kind="opportunity",
            opportunity_key=answer.opportunity_key,
            gates=answer.gates,
        )
    return msgspec.structs.replace(answer, unit=unit, instruments=own)


def _judged(
    strategy: Strategy, verdict: Verdict, underlying: Underlying, pricing: Pricing
) -> Opportunity | Disposition:
    """The best answer to the candidates of an underlying."""
    offers: list[tuple[float, str, OptionOffer, tuple[GateReading, ...]]] = []
    refused: list[Disposition] = []
    for idea in underlying.ideas:
        found = _offer(strategy, verdict, (underlying, idea), pricing)
        if isinstance(found, Disposition):
            refused.append(found)
            continue
        offer, readings = found
        worth = offer.cautious_usd / max(offer.priced.es95, 1e-9 * offer.priced.structure.index)
        offers.append((-worth, idea.name, offer, readings))
    if offers:
        _, _, best, readings = min(offers, key=lambda row: row[:2])
        return _sized(best, readings)
    return min(refused, key=_rank)


def _rank(answer: Disposition) -> tuple[int, int, float, str]:
    far = math.inf if answer.distance is None else answer.distance
    return _WORSE.get(answer.kind, 2), answer.failed_count, far, answer.unit


def _offer(
    strategy: Strategy, verdict: Verdict, about: tuple[Underlying, Idea], pricing: Pricing
) -> tuple[OptionOffer, tuple[GateReading, ...]] | Disposition:
    """A candidate whose gates, price and edge hold, with all gates read; else why not."""
    underlying, idea = about
    if idea.lack is not None:
        return _insufficient(idea.name, (), idea.lack)
    failed = [reading for reading in idea.readings if not reading.passed]
    if failed or idea.structure is None:
        return _failed(idea, failed[0], len(failed), idea.readings)
    charges = charges_of(idea.structure, idea.settlement, pricing)
    if isinstance(charges, str):
        return _insufficient(idea.name, (), (f"cost.{charges}", 0.0, 1.0, "values"), idea.readings)
    priced = PricedStructure(idea.structure, charges, idea.settlement, idea.n_eff)
    venue = idea.structure.expiry.chain.partition(":")[0]
    offer = OptionOffer(
        strategy, verdict, underlying, idea, priced, pricing, means_of(pricing.account, venue)
    )
    edge = Economic("min_edge_bps", priced.bps(priced.edge), 0.0, 1, "bps")
    readings = (*idea.readings, msgspec.structs.replace(edge.reading, passed=priced.edge > 0))
    if not priced.edge > 0:
        return _negative(idea, priced, readings)
    checks = [Economic("edge_lcb_bps", priced.bps(offer.cautious_usd), 0.0, 1, "bps")]
    if idea.least_profitable is not None:
        checks.append(Economic("profit_frac", priced.profitable, idea.least_profitable, 1))
    if not offer.means.illustrative:
        checks.append(Economic("min_capital", offer.means.equity_usd, strategy.min_capital_usd, 1, "USD"))
    for check in checks:
        readings = (*readings, check.reading)
        if not check.reading.passed:
            return _failed(idea, check.reading, 1, readings)
    return offer, readings


def _sized(offer: OptionOffer, readings: tuple[GateReading, ...]) -> Opportunity | Disposition:
    """The opportunity at its size, or why there is none.

    Notes
    -----
    The budget is spent on the largest loss. Without an account the smallest order is shown: options cannot be bought in parts
    of a thousand dollars.
    """
    priced, structure = offer.priced, offer.priced.structure
    lot = max(leg.expiry.specs[leg.at].lot for leg in structure.legs)
    wanted, binding = _wanted(offer)
    if offer.means.illustrative:
        wanted, binding = float(lot) * structure.index, "lot"
    units = (Decimal(wanted / structure.index * (1 + 1e-12)) / lot).to_integral_value(ROUND_FLOOR) * lot
    need = float(lot) * structure.index
    if units <= 0 or float(units) > structure.touch_units:
        return _below(offer.idea, wanted, need, (binding, readings))
    # With nothing at risk there is no capital to weigh it by.
    if not priced.worst > 0:
        return _failed(offer.idea, Economic("largest_loss", priced.worst, 0.0, 1, "USD").reading, 1, readings)
    bound: Binding = "lot" if units == lot else binding
    return assemble(offer, OptionSize(units, bound, readings))


def _wanted(offer: OptionOffer) -> tuple[float, Binding]:
    priced, index = offer.priced, offer.priced.structure.index
    tied = max(offer.tied_usd / index, 1e-9)
    # Capital is what is tied up, not the notional: an account that can bear the loss can hold the position.
    means: Means = replace(offer.means, free_usd=offer.means.free_usd / tied)
    sizing = Sizing(
        stop_frac=None,
        es99_frac=max(priced.worst / index, 1e-9),
        exit_cost_frac=0.0,
        volume_24h_usd=offer.volume_24h_usd,
        capacity_usd=priced.structure.touch_units * index,
        edge_lcb_frac=offer.cautious_usd / index if offer.proven else None,
        variance_frac=float((priced.net / index).var(ddof=1)) if offer.proven else None,
    )
    return size_usd(sizing, means)


def _insufficient(
    unit: str, instruments: tuple[Instrument, ...], lack: Lack, gates: tuple[GateReading, ...] = ()
) -> Disposition:
    which, have, need, name = lack
    return Disposition(
        unit=unit,
        instruments=instruments,
        kind="insufficient_data",
        stage=which,
        value=have,
        limit=need,
        value_unit=name,
        flips_if=f"{which} reaches {need:g} {name}",
        gates=gates,
    )


def _failed(idea: Idea, reading: GateReading, count: int, readings: tuple[GateReading, ...]) -> Disposition:
    value = reading.value if reading.value is not None else math.nan
    move = "rises" if value < reading.threshold else "falls"
    unit = idea.units.get(reading.gate, "")
    return Disposition(
        unit=idea.name,
        instruments=(),
        kind="gate_failed",
        stage=reading.gate,
        value=reading.value,
        limit=reading.threshold,
        value_unit=unit,
        distance=reading.distance,
        failed_count=count,
        flips_if=f"{reading.gate} of {idea.name} {move} from {value:.4g} to {reading.threshold:.4g} {unit}".rstrip(),
        gates=readings,
    )


def _negative(idea: Idea, priced: PricedStructure, readings: tuple[GateReading, ...]) -> Disposition:
    gross, edge = priced.bps(priced.gross), priced.bps(priced.edge)
    return Disposition(
        unit=idea.name,
        instruments=(),
        kind="negative_net_edge",
        stage="min_edge_bps",
        value=edge,
        limit=0.0,
        value_unit="bps",
        distance=max(0.0, -edge),
        failed_count=1,
        gross_bps=gross,
        cost_bps=gross - edge,
        flips_if=f"costs of {idea.name} fall from {gross - edge:.1f} below {gross:.1f} bps",
        gates=readings,
    )


def _below(
    idea: Idea, have: float, need: float, bound: tuple[Binding, tuple[GateReading, ...]]
) -> Disposition:
    binding, readings = bound
    return Disposition(
        unit=idea.name,
        instruments=(),
        kind="below_min_notional",
        stage="min_notional",
        value=have,
        limit=need,
        value_unit="USD",
        distance=max(0.0, 1.0 - have / need),
        failed_count=1,
        flips_if=f"{binding} allows {need:.2f} USD instead of {have:.2f}",
        gates=readings,
    )
