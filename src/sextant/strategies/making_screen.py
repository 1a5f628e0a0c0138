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
from sextant.model.instrument import InstrumentSpec
from sextant.model.opportunity import Disposition, GateReading
from sextant.model.view import Flags
from sextant.strategies.answers import Count, Readings
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import (
    Economic,
    Refusals,
    economic,
    insufficient,
    negative_edge,
    refusals,
)
from sextant.strategies.fees import fee_tier
from sextant.strategies.flow import reaching
from sextant.strategies.quoting import Book, Quote, RoundTrip, quote_of, round_trip
from sextant.strategies.sizing import Binding, Means, gap_of, means_of

MINUTE_S: Final = 60.0
NO_FEES: Final = ("cost.fees", 0.0, 1.0, "values")
EDGE_STAGE: Final = "min_edge_bps"


@dataclass(frozen=True, eq=False)
class Bar:
    """A gate that depends on who asks: passes where ``sense * (value - threshold) >= 0``, float64 (n,)."""

    name: str
    value: Floats
    threshold: Floats
    sense: int
    unit: str = ""

    @cached_property
    def margin(self) -> Floats:
        """How far each is inside, in thresholds; below 0 where it fails."""
        scale = np.where(self.threshold == 0, 1.0, np.abs(self.threshold))
        out: Floats = self.sense * (self.value - self.threshold) / scale
        return out

    def at(self, place: int) -> Economic:
        """The gate of one book."""
        return Economic(
            self.name, float(self.value[place]), float(self.threshold[place]), self.sense, self.unit
        )


class Screen:
    """The books that the gates of a verdict let pass, as one account would quote them; answers for all that it would not.

    Parameters
    ----------
    strategy, verdict, pricing
        Whose idea, about what, for whom.

    Notes
    -----
    Arrays have one entry for each of ``columns``, the books that lack nothing, or nothing but the direction no book has.
    """

    def __init__(self, strategy: Strategy, verdict: Verdict, pricing: Pricing) -> None:
        self.strategy, self.verdict, self.pricing = strategy, verdict, pricing
        self.refusals: Refusals = refusals(verdict, pricing.view)
        self.columns: Integers = np.array(self.refusals.undirected, dtype=np.int64)
        self._made: dict[int, Disposition] = {}

    # ---- what is known ------------------------------------------------------------------------

    def fact(self, name: str) -> Floats:
        """A fact of the verdict."""
        out: Floats = self.verdict.facts[name][0][self.columns]
        return out

    @property
    def params(self) -> Mapping[str, float]:
        """The parameters it was asked with."""
        return self.verdict.params

    @cached_property
    def specs(self) -> list[InstrumentSpec]:
        """The instruments."""
        return [self.pricing.view.instruments[column] for column in self.columns.tolist()]

    @cached_property
    def fees(self) -> list[FeeTier | None]:
        """What a resting order pays, None where it is not known."""
        known: dict[tuple[str, str], FeeTier | None] = {}
        for spec in self.specs:
            place = spec.instrument.venue, spec.instrument.kind
            if place not in known:
                known[place] = fee_tier(self.pricing.account, spec.instrument)
        return [known[spec.instrument.venue, spec.instrument.kind] for spec in self.specs]

    @cached_property
    def means(self) -> list[Means]:
        """What the account brings to the venue of each."""
        venues = {spec.instrument.venue for spec in self.specs}
        known = {venue: means_of(self.pricing.account, venue) for venue in venues}
        return [known[spec.instrument.venue] for spec in self.specs]

    @cached_property
    def mid(self) -> Floats:
        """Quote units."""
        out: Floats = self.pricing.touch.mid[self.columns]
        return out

    @cached_property
    def usd(self) -> Floats:
        """USD per quote unit."""
        out: Floats = self.pricing.usd[self.columns]
        return out

    @cached_property
    def volume_usd(self) -> Floats:
        """Turnover of 24 hours."""
        out: Floats = self.pricing.volume_24h_usd[self.columns]
        return out

    @cached_property
    def book(self) -> Book:
        """The books in basis points."""
        return Book(
            half_spread_bps=self.fact("half_spread"),
            tick_bps=1e4 * self.fact("tick") / self.mid,
            maker_bps=np.array([math.nan if fee is None else fee.maker_bps for fee in self.fees]),
            adverse_bps=self.fact("adverse"),
            sigma_bps=1e4 * self.fact("sigma_minute") / math.sqrt(MINUTE_S),
            k=self.fact("k"),
        )

    # ---- sizes --------------------------------------------------------------------------------

    @cached_property
    def touch_usd(self) -> Floats:
        """The smaller side of the touch."""
        touch = self.pricing.touch
        size = np.minimum(touch.bid_size[self.columns], touch.ask_size[self.columns])
        out: Floats = size * self.mid * self.usd
        return out

    @cached_property
    def capacity_usd(self) -> Floats:
        """The touch, or a share of an hour's flow."""
        hourly = self.params["flow_share"] * self.fact("hourly") * self.mid * self.usd
        return np.minimum(self.touch_usd, hourly)

    @cached_property
    def limits(self) -> dict[Binding, Floats]:
        """What bounds one side: a full inventory that meets a jump loses no more than the risk of one idea.

        Notes
        -----
        On spot the sell side needs the asset: what lies free of it at the venue bounds the size, and without an account nothing.
        """
        sizes = self.params["inventory_sizes"]
        gap = np.array([gap_of(volume) for volume in self.volume_usd.tolist()])
        jump = self.params["jump"] * self.fact("sigma_minute") * gap
        equity = np.array([means.equity_usd for means in self.means])
        risk = np.array([means.profile.risk_frac for means in self.means])
        cap = np.array([means.profile.position_cap_frac for means in self.means])
        return {
            "risk": equity * risk / (sizes * (jump + self.book.half_spread_bps / 1e4)),
            "capital": self._capital_usd(),
            "capacity": self.capacity_usd / 2.0,
            "position_cap": cap * equity / sizes,
        }

    @cached_property
    def size_usd(self) -> Floats:
        """One side."""
        out: Floats = np.minimum.reduce(list(self.limits.values()))
        return out

    def binding(self, place: int) -> Binding:
        """What bounds the size of one; of equal bounds the first by name."""
        return min(self.limits, key=lambda name: (float(self.limits[name][place]), name))

    def _capital_usd(self) -> Floats:
        free = np.array([means.free_usd for means in self.means])
        spot = np.array([spec.instrument.kind == "spot" for spec in self.specs], dtype=np.bool_)
        asked = spot & np.array([not means.illustrative for means in self.means], dtype=np.bool_)
        held = _held(self.pricing.account)
        names = [(spec.instrument.venue, spec.instrument.base) for spec in self.specs]
        owned = np.array([max(held.get(name, 0.0), 0.0) for name in names]) * self.mid * self.usd
        return np.where(asked, np.minimum(free, owned), free)

    # ---- gates --------------------------------------------------------------------------------

    @cached_property
    def quote(self) -> Quote:
        """Where each would be quoted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            own = self.size_usd / (self.size_usd + self.touch_usd)
        share = np.where(self.touch_usd > 0, own, 1.0)
        return quote_of(self.book, share, self.params["gamma"], self.params["tau_s"])

    @cached_property
    def per_second(self) -> Floats:
        """Sweeps of the slower side that reach the quote."""
        depth = self.quote.delta_bps
        buys = reaching(self.fact("log_a_buy"), self.fact("k_buy"), depth)
        return np.minimum(buys, reaching(self.fact("log_a_sell"), self.fact("k_sell"), depth))

    @cached_property
    def trip(self) -> RoundTrip:
        """What buying and selling once leaves."""
        return round_trip(self.book, self.quote, self.per_second, self.params["gamma"])

    @cached_property
    def gates(self) -> tuple[Bar, ...]:
        """The gates in their order; a net edge comes after them."""
        book, quote, params = self.book, self.quote, self.params
        deepest, error = self.fact("deepest"), self.fact("adverse_se")
        needed = np.where(book.least_bps > deepest, book.least_bps, quote.delta_bps)
        kept = quote.delta_bps - book.maker_bps - book.adverse_bps
        sure = np.divide(kept, error, out=np.full(len(kept), np.inf), where=error > 0)

        def all_at(value: float) -> Floats:
            return np.full(len(self.columns), value)

        gates = [
            Bar("quote_within_flow", needed, deepest, -1, "bps"),
            Bar("toxicity", self.fact("toxicity"), all_at(params["toxicity"]), -1, "fraction"),
            Bar("jump", self.fact("jump"), all_at(params["jump"]), -1, "sigma"),
            Bar("round_trip_s", self.trip.seconds, all_at(params["round_trip_s"]), -1, "s"),
            Bar("significance", sure, all_at(params["significance"]), 1),
        ]
        if not any(means.illustrative for means in self.means):
            equity = np.array([means.equity_usd for means in self.means])
            gates.append(Bar("min_capital", equity, all_at(self.strategy.min_capital_usd), 1, "USD"))
        return tuple(gates)

    @cached_property
    def ends(self) -> Integers:
        """The gate at which each ended, -1 without fees; as many as gates where costs eat the gross, one more where nothing does."""
        failed = np.array([~(gate.margin >= 0) for gate in self.gates])
        edge = ~(self.trip.edge_bps > 0)
        stages = np.vstack((failed, edge[None], np.ones((1, len(edge)), dtype=np.bool_)))
        unknown = np.array([fee is None for fee in self.fees], dtype=np.bool_)
        return np.where(unknown, -1, np.argmax(stages, axis=0))

    @property
    def worth(self) -> list[int]:
        """The places of those worth quoting, as far as a size was not looked at."""
        found: list[int] = np.flatnonzero(self.ends > len(self.gates)).tolist()
        return found

    def readings(self, place: int, count: int) -> tuple[GateReading, ...]:
        """What the gates of the verdict and the first of these read of one."""
        base = self.refusals.read.readings(int(self.columns[place]))
        return (*base, *(gate.at(place).reading for gate in self.gates[:count]))

    # ---- answers ------------------------------------------------------------------------------

    @cached_property
    def _place_of(self) -> Integers:
        """Place of each instrument among these, int64 (S,); -1 where the gates of the verdict answer."""
        places = np.full(self.refusals.size, -1, dtype=np.int64)
        places[self.columns] = np.arange(len(self.columns))
        return places

    def made(self, column: int) -> Disposition:
        """What one was told."""
        place = int(self._place_of[column])
        if place < 0:
            return self.refusals.made(column)
        if column not in self._made:
            self._made[column] = self._told(place)
        return self._made[column]

    def inside(self, chosen: Flags) -> Flags:
        """Those that were chosen."""
        return self.refusals.inside(chosen)

    def counts(self, columns: Integers) -> list[Count]:
        """How some of them ended."""
        own, others = self._parted(columns)
        ends = Counter(self.ends[own].tolist())
        told = self.refusals.counts(others)
        for end, count in sorted(ends.items()):
            if end < 0:
                told.append(("insufficient_data", NO_FEES[0], count))
            elif end < len(self.gates):
                told.append(("gate_failed", self.gates[end].name, count))
            else:
                told.append(("negative_net_edge", EDGE_STAGE, count))
        return told

    def longest(self, columns: Integers) -> tuple[int, Readings]:
        """The first of some that has as many readings as any of them, and those."""
        own, others = self._parted(columns)
        column, readings = self.refusals.longest(others)
        if len(own):
            # The gates of the verdict read all of these, so that only the own ones make a difference.
            first = int(self.columns[own[np.argmax(self.ends[own])]])
            gates = self.made(first).gates
            if len(gates) > len(readings) or (len(gates) == len(readings) and first < column):
                return first, gates
        return column, readings

    def near(self, columns: Integers, within: float, most: int) -> list[Disposition]:
        """The nearest of some whose every failed gate is within a distance."""
        own, others = self._parted(columns)
        found = own[self._distance[own] <= within]
        nearest = sorted(
            found.tolist(), key=lambda place: (self._distance[place], str(self.specs[place].instrument))
        )
        return [
            *self.refusals.near(others, within, most),
            *(self.made(int(self.columns[place])) for place in nearest[:most]),
        ]

    def _parted(self, columns: Integers) -> tuple[Integers, Integers]:
        """Places of those that are answered here, and the columns of the others."""
        places = self._place_of[columns]
        return places[places >= 0], columns[places < 0]

    @cached_property
    def _distance(self) -> Floats:
        """How far each is from passing what it failed; infinite without fees."""
        out = np.full(len(self.columns), np.inf)
        for number, gate in enumerate(self.gates):
            here = self.ends == number
            out[here] = np.maximum(0.0, -gate.margin[here])
        here = self.ends == len(self.gates)
        out[here] = np.maximum(0.0, -self.trip.edge_bps[here])
        return np.where(np.isnan(out), np.inf, out)

    def _told(self, place: int) -> Disposition:
        spec, end = self.specs[place], int(self.ends[place])
        if end < 0:
            return insufficient(spec, NO_FEES, self.readings(place, 0))
        if end < len(self.gates):
            return economic(spec, self.gates[end].at(place), self.readings(place, end))
        gross, edge = float(self.trip.gross_bps[place]), float(self.trip.edge_bps[place])
        return negative_edge(spec, gross, gross - edge, self.readings(place, end))


def _held(account: Account) -> dict[tuple[str, str], float]:
    """What lies free of each asset at each venue, base units."""
    parts: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for balance in account.balances:
        parts[balance.venue, balance.asset].append(float(balance.free or 0))
    return {name: math.fsum(some) for name, some in parts.items()}
