"""From candidate structures to opportunities and dispositions, for one account: the third step of strategies of options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic
from sextant.strategies.option_assemble import OptionOffer, OptionSize, assemble
from sextant.strategies.option_costs import PricedStructure, charges_of
from sextant.strategies.option_fold import eaten, fold, lack_of, nearest, refused_by, too_small
from sextant.strategies.option_ideas import ChainVerdict, Idea, Underlying
from sextant.strategies.sizing import Binding, Means, means_of, size_usd
from sextant.strategies.sizing import Idea as Sizing


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
    answers = {base: _judged(strategy, verdict, one, pricing) for base, one in said.items()}
    return fold(answers, pricing.view)


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
    return nearest(refused)


def _offer(
    strategy: Strategy, verdict: Verdict, about: tuple[Underlying, Idea], pricing: Pricing
) -> tuple[OptionOffer, tuple[GateReading, ...]] | Disposition:
    """A candidate whose gates, price and edge hold, with all gates read; else why not."""
    underlying, idea = about
    if idea.lack is not None:
        return lack_of(idea.name, idea.lack)
    failed = [reading for reading in idea.readings if not reading.passed]
    if failed or idea.structure is None:
        return refused_by(
            idea.name, failed[0], idea.readings, idea.units.get(failed[0].gate, ""), len(failed)
        )
    charges = charges_of(idea.structure, idea.settlement, pricing)
    if isinstance(charges, str):
        return lack_of(idea.name, (f"cost.{charges}", 0.0, 1.0, "values"), idea.readings)
    priced = PricedStructure(idea.structure, charges, idea.settlement, idea.n_eff)
    venue = idea.structure.expiry.chain.partition(":")[0]
    offer = OptionOffer(
        strategy, verdict, underlying, idea, priced, pricing, means_of(pricing.account, venue)
    )
    edge_bps = priced.bps(priced.edge)
    if not edge_bps > 0:
        return eaten(idea.name, priced.bps(priced.gross), edge_bps, idea.readings)
    readings = (*idea.readings, Economic("min_edge_bps", edge_bps, 0.0, 1, "bps").reading)
    checks = [Economic("edge_lcb_bps", priced.bps(offer.cautious_usd), 0.0, 1, "bps")]
    if idea.least_profitable is not None:
        checks.append(Economic("profit_frac", priced.profitable, idea.least_profitable, 1))
    if not offer.means.illustrative:
        checks.append(Economic("min_capital", offer.means.equity_usd, strategy.min_capital_usd, 1, "USD"))
    for check in checks:
        readings = (*readings, check.reading)
        if not check.reading.passed:
            return refused_by(idea.name, check.reading, readings, check.unit)
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
        return too_small(offer.idea.name, wanted, need, binding, readings)
    # With nothing at risk there is no capital to weigh it by.
    if not priced.worst > 0:
        nothing = Economic("largest_loss", priced.worst, 0.0, 1, "USD").reading
        return refused_by(offer.idea.name, nothing, readings, "USD")
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
