"""A candidate: what a strategy says about one instrument now, in terms of the instrument that would be traded."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sextant.model.opportunity import GateReading
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.gates import SPREAD_CAPS_BPS, VOLUME_FLOORS_USD
from sextant.strategies.sizing import least_usd

QUOTE_LIVES: Final = 20  # times the quote's greatest age, after which an idea has expired


@dataclass(frozen=True, eq=False)
class Candidate:
    """An idea before its price and size are known.

    Parameters
    ----------
    strategy, verdict, column
        Whose idea it is, about which instrument.
    executed
        Column of the instrument that would be traded.
    direction, strength
        +1 or -1; 1 = at threshold.
    stop_frac, target_frac
        Distances from mid, fractions > 0 towards loss and gain.
    sigma_frac
        Standard deviation of one bar's log return.
    trigger_age
        Rows since all historic gates first passed together.
    readings
        All gates.
    owned
        Base units of the account's own balance that a short of a spot instrument sells, or of its opposite position that the
        idea closes; None where it opens something.
    """

    strategy: Strategy
    verdict: Verdict
    column: int
    executed: int
    direction: int
    strength: float
    stop_frac: float
    target_frac: float
    sigma_frac: float
    trigger_age: int
    readings: tuple[GateReading, ...]
    owned: Decimal | None = None

    @property
    def interval_s(self) -> float:
        """Length of a bar of the strategy's frame."""
        return INTERVAL_NS[self.verdict.interval] / SECOND_NS

    @property
    def horizon_s(self) -> float:
        """Time barrier."""
        return self.verdict.signals.horizon_rows * self.interval_s

    @property
    def largest_usd(self) -> float:
        """Size beyond which the strategy would not go; infinite without such a bound."""
        bound = self.verdict.largest_usd
        return math.inf if bound is None else float(bound[self.executed])

    @property
    def resting(self) -> bool:
        """Whether it is entered by a post-only order."""
        return self.verdict.signals.limit is not None

    @property
    def sigma_day(self) -> float:
        """Standard deviation of a day's return."""
        return self.sigma_frac * math.sqrt(DAY_NS / INTERVAL_NS[self.verdict.interval])

    @property
    def sigma_horizon(self) -> float:
        """Standard deviation of the return over the horizon."""
        return self.sigma_frac * math.sqrt(self.verdict.signals.horizon_rows)


def candidate_of(
    strategy: Strategy, verdict: Verdict, column: int, pricing: Pricing, readings: tuple[GateReading, ...]
) -> Candidate | None:
    """The candidate; None where a short of a spot instrument cannot be realised by this account.

    Notes
    -----
    A short of a spot instrument sells the account's own balance where enough for an order lies free at the venue. Else it
    is realised by a perpetual of the same base and quote at a venue of the account (without an account, at any venue) that
    passes the common gates of perpetuals, the signal's own venue first. Where the account holds the opposite position in what
    would be traded, the idea closes of that and opens nothing. Distances are taken over as fractions.
    """
    signals = verdict.signals
    direction = int(signals.direction[-1, column])
    owned = _owned(pricing, column) if direction < 0 else None
    executed = column if owned is not None else _executed(strategy, pricing, column, direction)
    if executed is None:
        return None
    if owned is None:
        owned = _opposed(pricing, executed, direction)
    mid = float(pricing.touch.mid[column])
    age = next((reading.value for reading in readings if reading.gate == "trigger_age_rows"), None)
    return Candidate(
        strategy=strategy,
        verdict=verdict,
        column=column,
        executed=executed,
        direction=direction,
        strength=float(signals.strength[-1, column]),
        stop_frac=direction * (mid - float(signals.stop[-1, column])) / mid,
        target_frac=direction * (float(signals.target[-1, column]) - mid) / mid,
        sigma_frac=float(verdict.facts["sigma"][-1, column]) if "sigma" in verdict.facts else math.nan,
        trigger_age=int(age or 0),
        readings=readings,
        owned=owned,
    )


def _owned(pricing: Pricing, column: int) -> Decimal | None:
    """What lies free of a spot instrument's base at its venue; None where that is less than one order."""
    spec = pricing.view.instruments[column]
    own = spec.instrument
    if own.kind != "spot" or not pricing.account.balances:
        return None
    balances = (b for b in pricing.account.balances if (b.venue, b.asset) == (own.venue, own.base))
    free = sum((balance.free or Decimal(0) for balance in balances), Decimal(0))
    mid, usd = float(pricing.touch.mid[column]), float(pricing.usd[column])
    worth = float(free) * mid * usd
    return free if free > 0 and worth >= least_usd(spec, mid, usd) else None


def _opposed(pricing: Pricing, column: int, direction: int) -> Decimal | None:
    """What is held the other way in an instrument; None where that is nothing, or less than one order."""
    if not pricing.account.positions:
        return None
    spec = pricing.view.instruments[column]
    held = sum((p.quantity for p in pricing.account.positions if p.instrument == spec.instrument), Decimal(0))
    mid, usd = float(pricing.touch.mid[column]), float(pricing.usd[column])
    worth = abs(float(held)) * mid * usd
    return abs(held) if held * direction < 0 and worth >= least_usd(spec, mid, usd) else None


def _executed(strategy: Strategy, pricing: Pricing, column: int, direction: int) -> int | None:
    specs = pricing.view.instruments
    own = specs[column].instrument
    if direction > 0 or own.kind != "spot":
        return column
    found = [
        (specs[other].instrument.venue != own.venue, str(specs[other].instrument), other)
        for other in pricing.tariff.perpetuals.get((own.base, own.quote), ())
        if _tradable(strategy, pricing, other)
    ]
    return min(found)[2] if found else None


def _tradable(strategy: Strategy, pricing: Pricing, column: int) -> bool:
    """Whether a perpetual is at a venue of the account, freshly quoted, and within the common gates of its kind."""
    touch, account = pricing.touch, pricing.account
    reachable = account.equity_usd is None or (
        pricing.view.instruments[column].instrument.venue in account.free_usd
    )
    limit_s = quote_age_s(strategy)
    fresh = touch.assumed or limit_s is None or float(touch.age_ms[column]) <= limit_s * 1e3
    tight = float(touch.spread_bps[column]) <= SPREAD_CAPS_BPS["perpetual"]
    return (
        reachable
        and fresh
        and tight
        and float(pricing.volume_24h_usd[column]) >= VOLUME_FLOORS_USD["perpetual"]
    )


def quote_age_s(strategy: Strategy) -> float | None:
    """Greatest age of a quote for a strategy; None where it needs none."""
    return next((need.greatest_age_s for need in strategy.needs if need.column == "quotes"), None)


def trigger_row(candidate: Candidate) -> int:
    """Index of the row on which all gates first passed together, from the end: -1 is the last."""
    return -1 - candidate.trigger_age


def first_seen_ns(candidate: Candidate, pricing: Pricing) -> int:
    """When the triggering row closed."""
    frame = pricing.view.bars[candidate.verdict.interval]
    return int(frame.open_ns[trigger_row(candidate)]) + INTERVAL_NS[candidate.verdict.interval]


def opportunity_key(candidate: Candidate, pricing: Pricing) -> str:
    """The identity of the idea: the same across scans while its triggering row, legs and parameters are."""
    frame = pricing.view.bars[candidate.verdict.interval]
    side = "buy" if candidate.direction > 0 else "sell"
    params = candidate.verdict.params or candidate.strategy.defaults()
    parts = (
        candidate.strategy.id,
        f"{pricing.view.instruments[candidate.executed].instrument}:{side}",
        str(int(frame.open_ns[trigger_row(candidate)])),
        ",".join(f"{name}={params[name]!r}" for name in sorted(params)),
    )
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def expires_ns(candidate: Candidate, pricing: Pricing) -> int:
    """When the idea is too old: its trigger age, the next funding, or 20 times the greatest age of its quote."""
    view, interval = pricing.view, INTERVAL_NS[candidate.verdict.interval]
    frame = view.bars[candidate.verdict.interval]
    limits = [gate.threshold for gate in candidate.verdict.gates if gate.name == "trigger_age_rows"]
    last_close_ns = int(frame.open_ns[-1]) + interval
    ends: list[int] = []
    if limits:
        ends.append(last_close_ns + (math.floor(limits[0]) - candidate.trigger_age + 1) * interval)
    limit_s = quote_age_s(candidate.strategy)
    quote_ns = int(pricing.touch.event_ns[candidate.executed])
    if limit_s is not None and quote_ns and not pricing.touch.assumed:
        ends.append(quote_ns + round(QUOTE_LIVES * limit_s * SECOND_NS))
    if candidate.strategy.life_s is not None:
        ends.append(view.as_of_ns + round(candidate.strategy.life_s * SECOND_NS))
    next_funding_ns = int(view.derivatives.next_funding_ns[candidate.executed])
    if next_funding_ns > view.as_of_ns:
        ends.append(next_funding_ns)
    return max(min(ends, default=last_close_ns + interval), view.as_of_ns)
