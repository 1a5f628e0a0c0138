"""From chains and daily bars to candidate structures of every underlying: the market's part, the same for all users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import is_dollar
from sextant.model.opportunity import GateReading
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import skipped
from sextant.strategies.contract import Need, Verdict
from sextant.strategies.dispositions import Economic, Lack
from sextant.strategies.expiries import Expiry, expiries_of
from sextant.strategies.gates import VOLUME_FLOORS_USD
from sextant.strategies.structures import Hedge, Structure
from sextant.strategies.variance import Outlook, complete_tail, garman_klass, outlook

DAILY: Interval = "1d"
NO_OPTIONS = "no option data"
SPREAD_TICKS = 4.0


@dataclass(frozen=True)
class Proposal:
    """A structure that a strategy would look at, and the condition on volatility under which it is worth it.

    Parameters
    ----------
    structure
        What; None where the chain does not hold its legs.
    ratio
        The condition, read.
    strength
        1 = at the threshold.
    least_profitable
        Share of scenarios that must pay; None for no such demand.
    """

    structure: Structure | None
    ratio: Economic
    strength: float
    least_profitable: float | None = None


@dataclass(frozen=True, eq=False)
class Horizon:
    """What a strategy builds proposals from: one expiry, the next ones, and what the past says about that day."""

    expiry: Expiry
    later: tuple[Expiry, ...]
    outlook: Outlook
    perpetual: Hedge | None


Build = Callable[[Horizon, Mapping[str, float]], Iterator[Proposal]]


@dataclass(frozen=True, eq=False)
class Idea:
    """A candidate before the costs of an account are known.

    Parameters
    ----------
    name
        The structure and its expiry, for a reader.
    structure, settlement, n_eff
        What is traded, the scenarios, and how many independent outcomes they are worth; None where there is a lack.
    strength
        1 = at the threshold.
    readings
        Gates, in declared order.
    units
        Units of the gates' values, by name.
    lack
        Why it cannot be judged; None where it can.
    """

    name: str
    structure: Structure | None
    settlement: Floats
    n_eff: float
    strength: float
    readings: tuple[GateReading, ...]
    units: Mapping[str, str]
    lack: Lack | None = None
    least_profitable: float | None = None


@dataclass(frozen=True, eq=False)
class Underlying:
    """Everything that is said about one base asset.

    Parameters
    ----------
    base
        The asset.
    column
        Instrument whose bars are the past; None where none has enough.
    ideas
        Candidates; at least one.
    """

    base: str
    column: int | None
    ideas: tuple[Idea, ...]


@dataclass(frozen=True, eq=False)
class ChainVerdict(Verdict):
    """What a strategy says about underlyings; the arrays of bars say nothing.

    Parameters
    ----------
    underlyings
        By base asset.
    """

    underlyings: Mapping[str, Underlying] = field(default_factory=dict)


def speak(columns: Columns, params: Mapping[str, float], needs: Sequence[Need], build: Build) -> Verdict:
    """The verdict of a strategy about every underlying that has options in the view.

    Parameters
    ----------
    needs
        Of the daily bars and of the chain.
    build
        Proposals of one expiry.

    Notes
    -----
    Without any option the strategy is skipped: nothing stands in for a chain.
    """
    view = columns.view
    if not any(chain.size for chain in view.chains.values()):
        return skipped(DAILY, view, NO_OPTIONS)
    if DAILY not in view.bars or not view.bars[DAILY].rows:
        return skipped(DAILY, view, f"no {DAILY} bars")
    found: dict[str, Underlying] = {}
    for name in sorted(view.chains):
        base = name.partition(":")[2].partition("-")[0]
        said = _underlying(columns, params, needs, (name, base, build))
        known = found.get(base)
        if known is not None:
            said = Underlying(base, said.column, (*known.ideas, *said.ideas))
        found[base] = said
    return chain_verdict(view, params, found)


def chain_verdict(
    view: View, params: Mapping[str, float], underlyings: Mapping[str, Underlying]
) -> ChainVerdict:
    """A verdict without signals on bars, which holds what is said about underlyings."""
    nothing = skipped(DAILY, view, "")
    return ChainVerdict(
        DAILY,
        nothing.signals,
        (),
        nothing.missing,
        {},
        params=params,
        underlyings=underlyings,
    )


def lacking(name: str, lack: Lack) -> Idea:
    """A candidate that cannot be judged, and why."""
    return Idea(name, None, np.empty(0), 0.0, 0.0, (), {}, lack)


def failing(name: str, gate: Economic) -> Idea:
    """A candidate of which only one gate could be read."""
    return Idea(name, None, np.empty(0), 0.0, 0.0, (gate.reading,), {gate.name: gate.unit})


def _underlying(
    columns: Columns, params: Mapping[str, float], needs: Sequence[Need], about: tuple[str, str, Build]
) -> Underlying:
    name, base, build = about
    view = columns.view
    bars, chain = (next(need for need in needs if need.column == which) for which in ("bars", "chain"))
    age_s = (view.as_of_ns - (view.bars[DAILY].last_close_ns or 0)) / 1e9
    if age_s > bars.greatest_age_s:
        lack: Lack = (f"bars.{DAILY}.age_s", age_s, bars.greatest_age_s, "s")
        return Underlying(base, None, (lacking(name, lack),))
    column, rows = daily_column(columns, name, base)
    if column is None or rows < bars.rows:
        return Underlying(
            base, None, (lacking(name, (f"bars.{DAILY}", float(rows), float(bars.rows), "rows")),)
        )
    every = expiries_of(view.chains[name], view.as_of_ns)
    fitting = [expiry for expiry in every if params["days_low"] <= expiry.days <= params["days_high"]]
    if not fitting:
        return Underlying(base, column, (_no_expiry(name, every, params),))
    ideas: list[Idea] = []
    perpetual = perpetual_of(columns, name)
    for expiry in fitting:
        ahead = _outlook(columns, column, max(1, round(expiry.days)))
        if ahead is None:
            need = ("forecast", float(rows), float(bars.rows), "rows")
            ideas.append(lacking(_title(name, expiry), need))
            continue
        later = tuple(other for other in every if other.expiry_ns > expiry.expiry_ns)
        horizon = Horizon(expiry, later, ahead, perpetual)
        common = _common(columns, column, ahead)
        ideas += [
            _idea(name, horizon, proposal, (params, chain, common)) for proposal in build(horizon, params)
        ]
    nothing = lacking(name, ("chain.strikes", 0.0, 1.0, "structures"))
    return Underlying(base, column, tuple(ideas) or (nothing,))


def _no_expiry(name: str, every: Sequence[Expiry], params: Mapping[str, float]) -> Idea:
    """No expiry lies within the wanted days: the nearest one says how far off it is."""
    low, high = params["days_low"], params["days_high"]
    if not every:
        return lacking(name, ("chain.forward", 0.0, 1.0, "forwards"))
    nearest = min((expiry.days for expiry in every), key=lambda days: max(low - days, days - high))
    beyond = nearest > high
    return failing(name, Economic("days", nearest, high if beyond else low, -1 if beyond else 1, "d"))


def daily_column(columns: Columns, chain: str, base: str) -> tuple[int | None, int]:
    """The instrument whose daily bars stand for the underlying, and how many of them have no gap.

    Notes
    -----
    A spot instrument or perpetual of the base against dollars; the longest history up to a thousand rows first, then the
    chain's own venue, perpetuals, names.
    """
    view, frame = columns.view, columns.frame(DAILY)
    venue = chain.partition(":")[0]
    found: list[tuple[int, bool, bool, str, int]] = []
    for column, spec in enumerate(view.instruments):
        name = spec.instrument
        if name.base == base and is_dollar(name.quote) and name.kind in ("spot", "perpetual"):
            bars = (frame.open, frame.high, frame.low, frame.close)
            rows = complete_tail(*(part[:, column] for part in bars))
            order = (-min(rows, 1_000), name.venue != venue, name.kind != "perpetual", str(name))
            found.append((*order, column))
    if not found:
        return None, 0
    best = min(found)
    return best[-1], -best[0]


def perpetual_of(columns: Columns, chain: str) -> Hedge | None:
    """The perpetual of the chain's own venue and underlying at its mid, with no units yet; None where it is not quoted."""
    touch = columns.touch
    for column, spec in enumerate(columns.view.instruments):
        name = spec.instrument
        own = f"{name.venue}:{name.base}-{name.quote}" == chain and name.kind == "perpetual"
        mid = float(touch.mid[column]) if own else math.nan
        if own and spec.status == "trading" and math.isfinite(mid):
            return Hedge(column, 0.0, mid)
    return None


def _outlook(columns: Columns, column: int, rows: int) -> Outlook | None:
    """The outlook of an instrument over some days, computed once for a view."""

    def make() -> Outlook | None:
        frame = columns.frame(DAILY)
        parts = [part[:, column] for part in (frame.open, frame.high, frame.low, frame.close)]
        tail = complete_tail(*parts)
        first, high, low, close = (part[len(part) - tail :] for part in parts)
        v = garman_klass(first, high, low, close)
        known = complete_tail(v)
        return outlook(v[tail - known :], close[tail - known :], rows) if known > rows else None

    return columns.once(("outlook", column, rows), make)


def _common(columns: Columns, column: int, ahead: Outlook) -> tuple[Economic, ...]:
    """Gates that all structures of an underlying share."""
    kind = columns.view.instruments[column].instrument.kind
    volume = float(columns.volume_24h_usd(DAILY)[-1, column])
    return (
        Economic("volume_24h_usd", volume, VOLUME_FLOORS_USD[kind], 1, "USD"),
        Economic("skill", ahead.loss - ahead.plain_loss, 0.0, -1),
    )


def _idea(
    name: str,
    horizon: Horizon,
    proposal: Proposal,
    rest: tuple[Mapping[str, float], Need, tuple[Economic, ...]],
) -> Idea:
    params, chain, (volume, skill) = rest
    title = _title(name, horizon.expiry)
    structure = proposal.structure
    if structure is None:
        return lacking(title, ("chain.strikes", 0.0, 1.0, "structures"))
    title = f"{title} {structure.shape}"
    limit_ms = chain.greatest_age_s * 1e3
    age_ms = max(float(leg.expiry.age_ms[leg.at]) for leg in structure.legs)
    if age_ms > limit_ms:
        return lacking(title, ("chain.age_ms", age_ms, limit_ms, "ms"))
    if math.isnan(volume.value):
        return lacking(title, ("volume_24h_usd", 0.0, volume.threshold, "USD"))
    interest = [float(leg.expiry.open_interest[leg.at]) for leg in structure.legs]
    if any(math.isnan(value) for value in interest):
        return lacking(title, ("chain.open_interest", 0.0, params["open_interest"], "contracts"))
    gates = (
        volume,
        Economic("leg_spread", _widest(structure), params["leg_spread"], -1, "of mid"),
        Economic("open_interest", min(interest), params["open_interest"], 1, "contracts"),
        Economic("mids_shape", max(leg.expiry.bent_ticks for leg in structure.legs), 0.0, -1, "ticks"),
        skill,
        proposal.ratio,
    )
    return Idea(
        title,
        structure,
        horizon.outlook.scenarios(horizon.expiry.forward, horizon.expiry.days),
        horizon.outlook.n_eff,
        proposal.strength,
        tuple(gate.reading for gate in gates),
        {gate.name: gate.unit for gate in gates},
        least_profitable=proposal.least_profitable,
    )


def _widest(structure: Structure) -> float:
    """Widest quoted spread of the legs as a share of mid; a leg quoted within four ticks counts as 0."""
    return max(
        0.0
        if leg.expiry.spread_ticks[leg.at] <= SPREAD_TICKS * (1 + 1e-9)
        else float(leg.expiry.spread_frac[leg.at])
        for leg in structure.legs
    )


def _title(name: str, expiry: Expiry) -> str:
    return f"{name} {np.datetime64(expiry.expiry_ns, 'ns').astype('datetime64[D]')}"
