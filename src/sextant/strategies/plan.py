"""The plan of a confluence long or short: entry, stop, targets, size and what is left after costs; or why there is none.

The one calculator of its kind. All numbers are Decimal, so that prices lie on their steps and sizes on their
lots. Conviction changes neither stop nor size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

from sextant.errors import InputError

Side = Literal["long", "short"]
Code = Literal["MISSING", "STALE", "NO_MARK", "MARK_APART", "CROSSED", "STOP_TOO_FAR", "TOO_SMALL", "NO_EDGE"]

D: Final = Decimal
APART_MAX: Final = D("0.01")
APART_WIDE: Final = D("0.005")
WIDER: Final = D("1.25")
STOP_ATR: Final = D(2)
LEVEL_NEAR_ATR: Final = D(1)
LEVEL_FAR_ATR: Final = D(3)
LEVEL_BEYOND_ATR: Final = D("0.25")
LEAST_STOP: Final = D("0.003")
LEAST_SPREADS: Final = D(5)
GREATEST_STOP: Final = D("0.06")
TARGETS_R: Final = (D("1.5"), D("2.5"), D(4))
SHARES: Final = (D("0.5"), D("0.3"), D("0.2"))
DEPTH_SHARE: Final = D("0.10")
STRESS_CUT: Final = D("0.5")
DEPTH_BPS: Final = D(50)
HORIZON_S: Final = D(14_400)
RISK: Final = D("0.01")
NOTIONAL: Final = D(1)
RISK_BOUNDS: Final = (D("0.0025"), D("0.02"))
NOTIONAL_BOUNDS: Final = (D("0.1"), D(3))


@dataclass(frozen=True)
class Funding:
    """What a perpetual pays: rate per interval, positive when longs pay; its true interval; seconds to the next."""

    rate: Decimal
    interval_s: Decimal
    next_s: Decimal

    def settlements(self, horizon_s: Decimal) -> int:
        """How often it is charged until the horizon."""
        if self.next_s > horizon_s:
            return 0
        return 1 + int((horizon_s - self.next_s) / self.interval_s)


@dataclass(frozen=True)
class Appetite:
    """How much of the equity one idea may lose, and how large its notional may be.

    Raises
    ------
    InputError
        If either is out of its bounds.
    """

    risk_frac: Decimal = RISK
    notional_frac: Decimal = NOTIONAL

    def __post_init__(self) -> None:
        """Refuse what is out of bounds."""
        for name, bounds in (("risk_frac", RISK_BOUNDS), ("notional_frac", NOTIONAL_BOUNDS)):
            value = getattr(self, name)
            if not bounds[0] <= value <= bounds[1]:
                raise InputError(f"{name} is {value}; allowed are {bounds[0]}..{bounds[1]}.", field=name)


USUAL: Final = Appetite()


@dataclass(frozen=True, kw_only=True)
class Market:
    """What a plan is made of; None is unknown, and an unknown is refused.

    Parameters
    ----------
    side
        long or short.
    bid, ask, mark
        Prices in quote units.
    atr
        Average range of 30m bars, quote units.
    support, resistance
        Levels below and above; None where there is none, which is no lack.
    price_step, lot, minimum_notional
        Rules of the instrument; a minimum of 0 where the venue states none.
    rate
        What a taker pays, fraction of the notional.
    equity, depth
        Equity; quote units within 50 bps on the side that an exit takes from.
    hv, ll
        Volatility and illiquidity of the regime, 0 to 1.
    funding
        None for instruments that pay none.
    stale
        Names of inputs that are too old.
    """

    side: Side
    bid: Decimal | None
    ask: Decimal | None
    mark: Decimal | None
    atr: Decimal | None
    price_step: Decimal | None
    lot: Decimal | None
    minimum_notional: Decimal | None
    rate: Decimal | None
    equity: Decimal | None
    depth: Decimal | None
    hv: Decimal | None
    ll: Decimal | None
    support: Decimal | None = None
    resistance: Decimal | None = None
    funding: Funding | None = None
    stale: tuple[str, ...] = ()


OPTIONAL: Final = frozenset({"support", "resistance", "funding", "stale"})


@dataclass(frozen=True)
class Refusal:
    """Why there is no plan.

    Parameters
    ----------
    code
        For programs.
    text
        A sentence with value and limit.
    facts
        The numbers behind it.
    """

    code: Code
    text: str
    facts: Mapping[str, Decimal | None]


@dataclass(frozen=True)
class Target:
    """A price at which a part is closed, in R from the entry."""

    price: Decimal
    in_r: Decimal
    size: Decimal
    gross: Decimal


@dataclass(frozen=True)
class Line:
    """A line of the waterfall, in quote units and in R of the whole size; costs are negative."""

    item: str
    amount: Decimal
    in_r: Decimal


@dataclass(frozen=True)
class Plan:
    """Entry, stop, targets and size, and what is left if all targets are hit.

    Parameters
    ----------
    unit_risk
        Loss per base unit at the stop with both rates.
    risk
        Loss of the whole size at the stop.
    waterfall
        Gross per target, then the costs, then the net.
    notes
        What was widened or cut, and what was estimated.
    """

    side: Side
    entry: Decimal
    stop: Decimal
    distance: Decimal
    unit_risk: Decimal
    size: Decimal
    risk: Decimal
    targets: tuple[Target, ...]
    waterfall: tuple[Line, ...]
    net: Decimal
    net_of_rates: Decimal
    notes: tuple[str, ...]


def plan(market: Market, appetite: Appetite = Appetite()) -> Plan | Refusal:  # frozen
    """The plan of an idea, or why there is none.

    Parameters
    ----------
    market
        What is known.
    appetite
        Of the account's profile.
    """
    refused = _unusable(market)
    if refused is not None:
        return refused
    facts = _Facts(market)
    stop = _stop(facts)
    if isinstance(stop, Refusal):
        return stop
    price, notes = stop
    distance = abs(facts.entry - price)
    unit_risk = distance + facts.rate * (facts.entry + price)
    size = _size(facts, unit_risk, appetite)
    if isinstance(size, Refusal):
        return size
    targets = _targets(facts, distance, size)
    lines, net, net_of_rates = _waterfall(facts, targets, size, distance)
    nearest = _net_at(facts, targets[0].price, size)
    if nearest <= 0:
        return Refusal(
            "NO_EDGE",
            f"All of it closed at the first target leaves {nearest:.6f} after costs.",
            {"net_at_first_target": nearest},
        )
    if facts.stress > 0:
        notes.append(f"Stress of {facts.stress} cuts the size by {STRESS_CUT * facts.stress}.")
    notes.append("Impact is estimated from an even book over the depth within 50 bps.")
    return Plan(
        side=market.side,
        entry=facts.entry,
        stop=price,
        distance=distance,
        unit_risk=unit_risk,
        size=size,
        risk=size * unit_risk,
        targets=targets,
        waterfall=lines,
        net=net,
        net_of_rates=net_of_rates,
        notes=tuple(notes),
    )


class _Facts:
    """The inputs of a plan after none of them is unknown."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.sign = D(1) if market.side == "long" else D(-1)
        self.bid, self.ask, self.mark = known(market.bid), known(market.ask), known(market.mark)
        self.atr, self.step, self.lot = known(market.atr), known(market.price_step), known(market.lot)
        self.minimum, self.rate = known(market.minimum_notional), known(market.rate)
        self.equity, self.depth = known(market.equity), known(market.depth)
        self.stress = max(known(market.hv), known(market.ll))
        self.entry = self.ask if market.side == "long" else self.bid
        self.level = market.support if market.side == "long" else market.resistance
        self.mid = (self.bid + self.ask) / 2
        self.spread = self.ask - self.bid

    def below(self, distance: Decimal) -> Decimal:
        """The price so far on the losing side of the entry."""
        return self.entry - self.sign * distance

    def least_size(self) -> Decimal:
        """The smallest size the venue takes."""
        return max(self.lot, rounded(self.minimum / self.entry, self.lot, ROUND_CEILING))


def known(value: Decimal | None) -> Decimal:
    """The value of an input that was checked before."""
    if value is None:
        raise AssertionError("an unknown input passed the check")
    return value


def rounded(value: Decimal, step: Decimal, mode: str) -> Decimal:
    """The value on its steps."""
    return (value / step).to_integral_value(rounding=mode) * step


def _unusable(market: Market) -> Refusal | None:
    """What keeps a market from being planned on."""
    if market.mark is None:
        return Refusal("NO_MARK", "The mark price is not known.", {"mark": None})
    for item in fields(market):
        if item.name not in OPTIONAL and getattr(market, item.name) is None:
            return Refusal("MISSING", f"{item.name} is not known.", {item.name: None})
    if market.stale:
        return Refusal("STALE", f"Too old: {', '.join(market.stale)}.", dict.fromkeys(market.stale))
    facts = _Facts(market)
    if not (0 < facts.bid < facts.ask and facts.atr > 0 and facts.depth > 0 and facts.equity > 0):
        return Refusal(
            "CROSSED",
            "Bid, ask, range, depth and equity must be above 0 and the bid below the ask.",
            {"bid": facts.bid, "ask": facts.ask, "atr": facts.atr},
        )
    apart = abs(facts.mark / facts.mid - 1)
    if apart > APART_MAX:
        return Refusal(
            "MARK_APART",
            f"The mark is {apart:.4f} from the mid; at most {APART_MAX} is allowed.",
            {"apart_frac": apart, "limit": APART_MAX},
        )
    return None


def _stop(facts: _Facts) -> tuple[Decimal, list[str]] | Refusal:
    """The stop price, rounded away from the entry, and what is to be said about it."""
    notes: list[str] = []
    distance = STOP_ATR * facts.atr
    if facts.level is not None:
        gap = facts.sign * (facts.entry - facts.level)
        if LEVEL_NEAR_ATR * facts.atr <= gap <= LEVEL_FAR_ATR * facts.atr:
            distance = gap + LEVEL_BEYOND_ATR * facts.atr
            notes.append(f"The stop lies beyond the level at {facts.level}.")
    if abs(facts.mark / facts.mid - 1) > APART_WIDE:
        distance *= WIDER
        notes.append(f"Mark and mid are apart: the stop is {WIDER} times as far.")
    least = max(LEAST_STOP * facts.entry, LEAST_SPREADS * facts.spread)
    if distance < least:
        distance = least
        notes.append(f"The stop is widened to {least}.")
    if distance > GREATEST_STOP * facts.entry:
        return Refusal(
            "STOP_TOO_FAR",
            f"The stop would be {distance / facts.entry:.4f} away; at most {GREATEST_STOP} is allowed.",
            {"distance_frac": distance / facts.entry, "limit": GREATEST_STOP},
        )
    away = ROUND_FLOOR if facts.sign > 0 else ROUND_CEILING
    return rounded(facts.below(distance), facts.step, away), notes


def _size(facts: _Facts, unit_risk: Decimal, appetite: Appetite) -> Decimal | Refusal:
    """Base units, on lots; the smallest of what risk, notional and depth allow, less what stress cuts."""
    cut = 1 - STRESS_CUT * facts.stress
    by_depth = DEPTH_SHARE * facts.depth / facts.entry
    allowed = min(
        appetite.risk_frac * facts.equity / unit_risk,
        appetite.notional_frac * facts.equity / facts.entry,
        by_depth,
    )
    size = rounded(allowed * cut, facts.lot, ROUND_FLOOR)
    least = facts.least_size()
    if size >= least:
        return size
    whole = least / cut
    needed = (
        None
        if by_depth < whole
        else max(whole * unit_risk / appetite.risk_frac, whole * facts.entry / appetite.notional_frac)
    )
    said = "the book is too thin for any" if needed is None else f"an equity of {needed:.2f} is needed"
    return Refusal(
        "TOO_SMALL",
        f"The size would be {size}; the smallest is {least}: {said}.",
        {"size": size, "smallest": least, "equity_needed": needed},
    )


def _targets(facts: _Facts, distance: Decimal, size: Decimal) -> tuple[Target, ...]:
    """Three prices and the parts closed there; a part below the minimum joins the nearer target."""
    towards = ROUND_FLOOR if facts.sign > 0 else ROUND_CEILING
    prices = [
        rounded(facts.entry + facts.sign * times * distance, facts.step, towards) for times in TARGETS_R
    ]
    parts = [rounded(share * size, facts.lot, ROUND_FLOOR) for share in SHARES[:-1]]
    parts.append(size - sum(parts))
    for at in range(len(parts) - 1, 0, -1):
        if parts[at] < facts.lot or parts[at] * prices[at] < facts.minimum:
            parts[at - 1] += parts[at]
            parts[at] = D(0)
    return tuple(
        Target(
            price,
            facts.sign * (price - facts.entry) / distance,
            part,
            part * facts.sign * (price - facts.entry),
        )
        for price, part in zip(prices, parts, strict=True)
        if part > 0
    )


def _waterfall(
    facts: _Facts, targets: tuple[Target, ...], size: Decimal, distance: Decimal
) -> tuple[tuple[Line, ...], Decimal, Decimal]:
    """From the gross of each target to what is left, the net, and the net of rates alone."""
    whole = size * distance
    gross = sum((target.gross for target in targets), D(0))
    traded = size * facts.entry + sum((target.size * target.price for target in targets), D(0))
    costs = {
        "rates": facts.rate * traded,
        "spread": size * facts.spread / 2,
        "impact": _impact(facts, size),
        "funding": _funding(facts, size),
    }
    net = gross - sum(costs.values(), D(0))
    lines = [
        *((f"target {number}", target.gross) for number, target in enumerate(targets, 1)),
        *((item, -cost) for item, cost in costs.items()),
        ("net", net),
    ]
    told = tuple(Line(item, amount, amount / whole) for item, amount in lines)
    return told, net, gross - costs["rates"]


def _net_at(facts: _Facts, price: Decimal, size: Decimal) -> Decimal:
    """What is left if all of it is closed at one price."""
    gross = size * facts.sign * (price - facts.entry)
    rates = facts.rate * size * (facts.entry + price)
    return gross - rates - size * facts.spread / 2 - _impact(facts, size) - _funding(facts, size)


def _impact(facts: _Facts, size: Decimal) -> Decimal:
    """Walking an even book costs half of the way to the price reached; once on entry and once on exit."""
    notional = size * facts.entry
    return 2 * notional * (notional / facts.depth) * DEPTH_BPS / D(10_000) / 2


def _funding(facts: _Facts, size: Decimal) -> Decimal:
    """Paid until the horizon; negative where it is received."""
    terms = facts.market.funding
    if terms is None:
        return D(0)
    return facts.sign * terms.rate * terms.settlements(HORIZON_S) * size * facts.mark
