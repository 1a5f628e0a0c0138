"""Which books one account would quote, and at which gate the others ended: all of them at once, each told when it is read."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sextant.model.account import Account, FeeTier
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, DispositionKind, GateReading
from sextant.model.view import Flags
from sextant.strategies.answer_records import Record
from sextant.strategies.answers import Count, Readings
from sextant.strategies.contract import Gate, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.couples import Couple
from sextant.strategies.dispositions import (
    Economic,
    economic,
    insufficient,
    negative_edge,
)
from sextant.strategies.fees import fee_tier
from sextant.strategies.flow import reaching
from sextant.strategies.gates import last_row
from sextant.strategies.quoting import Book, Quote, RoundTrip, quote_of, round_trip
from sextant.strategies.refusals import Refusals, refusals
from sextant.strategies.sizing import Binding, Means, gap_of, means_of

MINUTE_S: Final = 60.0
NO_FEES: Final = ("cost.fees", 0.0, 1.0, "values")
EDGE_STAGE: Final = "min_edge_bps"


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of some books for one account; arrays are float64 (n,).

    Parameters
    ----------
    verdict, pricing
        What was said, of which market, for whom.
    columns
        int64 (n,): the books' places among the instruments.
    specs, fees, means
        Rules, what a resting order pays, None where it is not known, and what the account brings to the venue.
    mid, usd
        Quote units, and USD per quote unit.
    volume_usd, touch_usd, capacity_usd
        Turnover of 24 hours; the smaller side of the touch; that, or a share of an hour's flow.
    book
        The books in basis points.
    """

    verdict: Verdict
    pricing: Pricing
    columns: Integers
    specs: list[InstrumentSpec]
    fees: list[FeeTier | None]
    means: list[Means]
    mid: Floats
    usd: Floats
    volume_usd: Floats
    touch_usd: Floats
    capacity_usd: Floats
    book: Book

    def fact(self, name: str) -> Floats:
        """A fact of the verdict."""
        return _fact(self.verdict, name, self.columns)

    @property
    def params(self) -> Mapping[str, float]:
        """The parameters it was asked with."""
        return self.verdict.params

    @property
    def illustrative(self) -> bool:
        """Whether no account is connected."""
        return any(means.illustrative for means in self.means)

    @cached_property
    def equity_usd(self) -> Floats:
        """What the account is worth."""
        return np.array([means.equity_usd for means in self.means])


def known_of(verdict: Verdict, pricing: Pricing, columns: Integers) -> Known:
    """What is known of the books of some columns."""
    specs = [pricing.view.instruments[column] for column in columns.tolist()]
    tiers: dict[tuple[str, str], FeeTier | None] = {}
    brought: dict[str, Means] = {}
    for spec in specs:
        instrument = spec.instrument
        if (instrument.venue, instrument.kind) not in tiers:
            tiers[instrument.venue, instrument.kind] = fee_tier(pricing.account, instrument)
        if instrument.venue not in brought:
            brought[instrument.venue] = means_of(pricing.account, instrument.venue)
    fees = [tiers[spec.instrument.venue, spec.instrument.kind] for spec in specs]
    touch = pricing.touch
    mid, usd = touch.mid[columns], pricing.usd[columns]
    touch_usd = np.minimum(touch.bid_size[columns], touch.ask_size[columns]) * mid * usd
    hourly_usd = verdict.params["flow_share"] * _fact(verdict, "hourly", columns) * mid * usd
    return Known(
        verdict=verdict,
        pricing=pricing,
        columns=columns,
        specs=specs,
        fees=fees,
        means=[brought[spec.instrument.venue] for spec in specs],
        mid=mid,
        usd=usd,
        volume_usd=pricing.volume_24h_usd[columns],
        touch_usd=touch_usd,
        capacity_usd=np.minimum(touch_usd, hourly_usd),
        book=Book(
            half_spread_bps=_fact(verdict, "half_spread", columns),
            tick_bps=1e4 * _fact(verdict, "tick", columns) / mid,
            maker_bps=np.array([math.nan if fee is None else fee.maker_bps for fee in fees]),
            adverse_bps=_fact(verdict, "adverse", columns),
            sigma_bps=1e4 * _fact(verdict, "sigma_minute", columns) / math.sqrt(MINUTE_S),
            k=_fact(verdict, "k", columns),
        ),
    )


def _fact(verdict: Verdict, name: str, columns: Integers) -> Floats:
    out: Floats = verdict.facts[name][0][columns]
    return out


@dataclass(frozen=True, eq=False)
class Sizes:
    """How much of one side would be quoted, USD, float64 (n,): the least of what bounds it."""

    limits: Mapping[Binding, Floats]
    usd: Floats

    def binding(self, place: int) -> Binding:
        """What bounds the size of one; of equal bounds the first by name."""
        return min(self.limits, key=lambda name: (float(self.limits[name][place]), name))


def sizes_of(known: Known) -> Sizes:
    """The size of one side: a full inventory that meets a jump loses no more than the risk of one idea.

    Notes
    -----
    On spot the sell side needs the asset: what lies free of it at the venue bounds the size, and without an account nothing.
    """
    sizes, equity = known.params["inventory_sizes"], known.equity_usd
    gap = np.array([gap_of(volume) for volume in known.volume_usd.tolist()])
    jump = known.params["jump"] * known.fact("sigma_minute") * gap
    risk = np.array([means.profile.risk_frac for means in known.means])
    cap = np.array([means.profile.position_cap_frac for means in known.means])
    limits: dict[Binding, Floats] = {
        "risk": equity * risk / (sizes * (jump + known.book.half_spread_bps / 1e4)),
        "capital": _capital_usd(known),
        "capacity": known.capacity_usd / 2.0,
        "position_cap": cap * equity / sizes,
    }
    return Sizes(limits, np.minimum.reduce(list(limits.values())))


def _capital_usd(known: Known) -> Floats:
    free = np.array([means.free_usd for means in known.means])
    if known.illustrative:
        return free
    held = _held(known.pricing.account)
    names = [(spec.instrument.venue, spec.instrument.base) for spec in known.specs]
    owned = np.array([max(held.get(name, 0.0), 0.0) for name in names]) * known.mid * known.usd
    spot = np.array([spec.instrument.kind == "spot" for spec in known.specs], dtype=np.bool_)
    return np.where(spot, np.minimum(free, owned), free)


@dataclass(frozen=True, eq=False)
class Trial:
    """What quoting each book would bring, and where that ended.

    Parameters
    ----------
    quote, trip
        Where it would be quoted, and what buying and selling once leaves.
    per_second
        float64 (n,): sweeps of the slower side that reach the quote.
    gates
        The gates in their order; a net edge comes after them.
    ends
        int64 (n,): the gate at which each ended, -1 without fees; as many as gates where costs eat the gross, one more where
        nothing does.
    """

    quote: Quote
    trip: RoundTrip
    per_second: Floats
    gates: tuple[Gate, ...]
    ends: Integers


def trial_of(strategy: Strategy, known: Known, size_usd: Floats) -> Trial:
    """Every book quoted at a size."""
    book, params = known.book, known.params
    with np.errstate(divide="ignore", invalid="ignore"):
        own = size_usd / (size_usd + known.touch_usd)
    quote = quote_of(book, np.where(known.touch_usd > 0, own, 1.0), params["gamma"], params["tau_s"])
    depth = quote.delta_bps
    per_second = np.minimum(
        reaching(known.fact("log_a_buy"), known.fact("k_buy"), depth),
        reaching(known.fact("log_a_sell"), known.fact("k_sell"), depth),
    )
    trip = round_trip(book, quote, per_second, params["gamma"])
    deepest, error = known.fact("deepest"), known.fact("adverse_se")
    needed = np.where(book.least_bps > deepest, book.least_bps, depth)
    kept = depth - book.maker_bps - book.adverse_bps
    sure = np.divide(kept, error, out=np.full(len(kept), np.inf), where=error > 0)

    gates = [
        Gate("quote_within_flow", needed[None], math.nan, -1, "bps", thresholds=deepest),
        Gate("toxicity", known.fact("toxicity")[None], params["toxicity"], -1, "fraction"),
        Gate("jump", known.fact("jump")[None], params["jump"], -1, "sigma"),
        Gate("round_trip_s", trip.seconds[None], params["round_trip_s"], -1, "s"),
        Gate("significance", sure[None], params["significance"], 1),
    ]
    if not known.illustrative:
        gates.append(Gate("min_capital", known.equity_usd[None], strategy.min_capital_usd, 1, "USD"))
    unknown = np.array([fee is None for fee in known.fees], dtype=np.bool_)
    stages = [*(~last_row(gate).passed for gate in gates), ~(trip.edge_bps > 0), np.ones_like(unknown)]
    return Trial(quote, trip, per_second, tuple(gates), np.where(unknown, -1, np.argmax(stages, axis=0)))


class Screen:
    """The books that the gates of a verdict let pass, as one account would quote them; answers for all that it would not.

    Parameters
    ----------
    strategy, verdict, pricing
        Whose idea, about what, for whom.

    Notes
    -----
    ``known``, ``sizes`` and ``trial`` have one entry for each book that lacks nothing, or nothing but the direction no book has.
    """

    def __init__(self, strategy: Strategy, verdict: Verdict, pricing: Pricing) -> None:
        self._refusals: Refusals = refusals(verdict, pricing.view)
        self.strategy = strategy
        self.known = known_of(verdict, pricing, np.array(self._refusals.undirected, dtype=np.int64))
        self.sizes = sizes_of(self.known)
        self.trial = trial_of(strategy, self.known, self.sizes.usd)
        self._made: dict[int, Disposition] = {}

    @property
    def worth(self) -> list[int]:
        """The places of those worth quoting, as far as a size was not looked at."""
        found: list[int] = np.flatnonzero(self.trial.ends > len(self.trial.gates)).tolist()
        return found

    def readings(self, place: int, count: int) -> tuple[GateReading, ...]:
        """What the gates of the verdict and the first of the trial read of one."""
        base = self._refusals.read.readings(int(self.known.columns[place]))
        return (*base, *(last_row(gate).reading(place) for gate in self.trial.gates[:count]))

    def made(self, column: int) -> Disposition:
        """What one was told."""
        place = int(self._place_of[column])
        if place < 0:
            return self._refusals.made(column)
        if column not in self._made:
            self._made[column] = self._told(place)
        return self._made[column]

    def inside(self, chosen: Flags) -> Flags:
        """Those that were chosen."""
        return self._refusals.inside(chosen)

    def subject(self, column: int) -> Instrument | Couple:
        """An instrument."""
        return self._refusals.subject(column)

    def kinds(self, columns: Integers) -> list[DispositionKind]:
        """How each of some ended."""
        told = np.array(self._refusals.kinds(columns), dtype=object)
        places = self._place_of[columns]
        own = places >= 0
        told[own] = [self._kind_of(end) for end in self.trial.ends[places[own]].tolist()]
        return list(told)

    def counts(self, columns: Integers) -> list[Count]:
        """How some of them ended."""
        own, others = self._parted(columns)
        gates = self.trial.gates
        told = self._refusals.counts(others)
        for end, count in sorted(Counter(self.trial.ends[own].tolist()).items()):
            stage = NO_FEES[0] if end < 0 else gates[end].name if end < len(gates) else EDGE_STAGE
            told.append((self._kind_of(end), stage, count))
        return told

    def longest(self, columns: Integers) -> tuple[int, Readings]:
        """The first of some that has as many readings as any of them, and those."""
        own, others = self._parted(columns)
        column, readings = self._refusals.longest(others)
        if len(own):
            # The gates of the verdict read all of these, so that only the own ones make a difference.
            first = int(self.known.columns[own[np.argmax(self.trial.ends[own])]])
            gates = self.made(first).gates
            if len(gates) > len(readings) or (len(gates) == len(readings) and first < column):
                return first, gates
        return column, readings

    def near(self, columns: Integers, within: float, most: int) -> list[Disposition]:
        """The nearest of some whose every failed gate is within a distance."""
        own, others = self._parted(columns)
        distance, specs = self._distance, self.known.specs
        found = own[distance[own] <= within].tolist()
        found.sort(key=lambda place: (distance[place], str(specs[place].instrument)))
        return [
            *self._refusals.near(others, within, most),
            *(self.made(int(self.known.columns[place])) for place in found[:most]),
        ]

    def record(self, columns: Integers) -> tuple[Record, dict[int, Disposition]]:
        """What the gates of the verdict say, and what an account is told of the books they let pass."""
        own, others = self._parted(columns)
        kept, told = self._refusals.record(others)
        return kept, {**told, **{column: self.made(column) for column in self.known.columns[own].tolist()}}

    def _kind_of(self, end: int) -> DispositionKind:
        if end < 0:
            return "insufficient_data"
        return "gate_failed" if end < len(self.trial.gates) else "negative_net_edge"

    @cached_property
    def _place_of(self) -> Integers:
        """Place of each instrument among the books, int64 (S,); -1 where the gates of the verdict answer."""
        places = np.full(self._refusals.size, -1, dtype=np.int64)
        places[self.known.columns] = np.arange(len(self.known.columns))
        return places

    def _parted(self, columns: Integers) -> tuple[Integers, Integers]:
        """Places of those that are answered here, and the columns of the others."""
        places = self._place_of[columns]
        return places[places >= 0], columns[places < 0]

    @cached_property
    def _distance(self) -> Floats:
        """How far each is from passing what it failed; infinite without fees."""
        gates, ends, edge_bps = self.trial.gates, self.trial.ends, self.trial.trip.edge_bps
        out = np.full(len(ends), np.inf)
        far = [*(last_row(gate).distances for gate in gates), np.maximum(0.0, -edge_bps)]
        for number, distance in enumerate(far):
            out[ends == number] = distance[ends == number]
        return np.where(np.isnan(out), np.inf, out)

    def _told(self, place: int) -> Disposition:
        spec, end, trial = self.known.specs[place], int(self.trial.ends[place]), self.trial
        if end < 0:
            return insufficient(spec, NO_FEES, self.readings(place, 0))
        if end < len(trial.gates):
            gate, row = trial.gates[end], last_row(trial.gates[end])
            value, limit = float(row.values[place]), float(row.limits[place])
            failed = Economic(gate.name, value, limit, gate.sense, gate.unit)
            return economic(spec, failed, self.readings(place, end))
        gross, edge = float(trial.trip.gross_bps[place]), float(trial.trip.edge_bps[place])
        return negative_edge(spec, gross, gross - edge, self.readings(place, end))


def _held(account: Account) -> dict[tuple[str, str], float]:
    """What lies free of each asset at each venue, base units."""
    parts: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for balance in account.balances:
        parts[balance.venue, balance.asset].append(float(balance.free or 0))
    return {name: math.fsum(some) for name, some in parts.items()}
