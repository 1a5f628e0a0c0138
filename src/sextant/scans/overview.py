"""The whole market of a view in one picture: breadth, dispersion, regime, movers and the age of the streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.explain import number
from sextant.confluence.market_wide import (
    Held,
    Mood,
    Paid,
    Pulse,
    Share,
    breadth,
    dispersion,
    liquidation_risk,
    lower_median,
    pulse,
    regime_of,
)
from sextant.confluence.nodes import read
from sextant.confluence.passport import STREAMS
from sextant.confluence.scorer import Evaluation
from sextant.model.bar import Floats
from sextant.model.instrument import STABLE_ASSETS, Instrument
from sextant.model.times import MINUTE_NS, Interval
from sextant.model.view import Flags, View
from sextant.scans.relations import leader_of

DAY_ROWS: Final = 288
"""Bars of 5m in a day."""
DAY_MINUTES: Final = 1_440
NEAR_NS: Final = 10 * MINUTE_NS
"""How far from a day ago open interest may have been told, and its price been closed."""
USUAL_DAYS: Final = 30
LEAST_DAYS: Final = 10
MINUTES_A_YEAR: Final = 525_600.0
EIGHT_HOURS_S: Final = 28_800.0
MOVERS: Final = 5
DOLLARS: Final = ("USDT", "USDC", "USD")
WHOLE: Final = 1.0 - 1e-9


@dataclass(frozen=True)
class Mover:
    """An instrument with its return and turnover of 24 hours."""

    instrument: Instrument
    return_24h_frac: float | None
    volume_24h: float | None


@dataclass(frozen=True)
class Overview:
    """The market at one time; each share carries of how many it was taken.

    Parameters
    ----------
    mood
        What the regime was read from.
    held
        The regime and since when.
    up_1h, up_24h, up_24h_by_turnover, above_day_vwap
        Shares of the universe.
    highs_minus_lows
        How many stand at their high of 24 hours, less those at their low; None where nothing is known.
    apart
        Dispersion of the returns of 24 hours.
    volatility_annual
        The leader's, fraction per year.
    perpetuals
        How they are paid.
    risk
        Where each perpetual whose every input is known stands in what makes forced closes likely, 0 to 1, highest first. By
        its name: a picture is kept while instruments come and go.
    streams
        How many pairs of stream and instrument are live, late, stale or given by no feed.
    """

    mood: Mood
    held: Held
    up_1h: Share
    up_24h: Share
    up_24h_by_turnover: Share
    above_day_vwap: Share
    highs_minus_lows: int | None
    apart: Share
    volatility_annual: float | None
    perpetuals: Pulse
    risk: Mapping[Instrument, float]
    up: tuple[Mover, ...]
    down: tuple[Mover, ...]
    volume: tuple[Mover, ...]
    streams: Mapping[str, int]


def overview(view: View, found: Evaluation, before: Held) -> Overview:
    """The market of a view.

    Parameters
    ----------
    view, found
        The market and its scores.
    before
        The regime of the picture before.
    """
    universe = _universe(view)
    day, hour = _moved(view, "5m", DAY_ROWS), _moved(view, "1m", 60)
    turnover = _turnover(view)
    leader = leader_of(view)
    apart = dispersion(day, universe)
    known = day[universe & ~np.isnan(day)]
    mood = Mood(
        up_24h=breadth(day, universe).frac,
        median_24h=lower_median(known) if len(known) else None,
        leader_24h=None if leader is None else number(float(day[leader])),
        dispersion=apart.frac,
        usual_dispersion=_usual(view, universe),
        leader_hv=None if leader is None else float(found.now.rows.weather["hv"][0, leader]),
    )
    distance = found.values["1m"].get(read("vwap", "distance", anchor="day"))
    above = np.full(view.size, np.nan) if distance is None else distance[0]
    paid = _paid(view)
    held = universe & _perpetual(view)
    risk = liquidation_risk(
        *(np.where(held, part, np.nan) for part in (paid.interest_usd, paid.f8, day, turnover))
    )
    return Overview(
        mood=mood,
        held=regime_of(mood, before, view.as_of_ns),
        up_1h=breadth(hour, universe),
        up_24h=breadth(day, universe),
        up_24h_by_turnover=breadth(day, universe, turnover),
        above_day_vwap=breadth(above, universe),
        highs_minus_lows=_extremes(view, universe),
        apart=apart,
        volatility_annual=_volatility(found, leader),
        perpetuals=pulse(paid, held),
        risk={view.instruments[at].instrument: float(risk[at]) for at in _ranked(-risk)},
        up=_movers(view, day, turnover, -day),
        down=_movers(view, day, turnover, day),
        volume=_movers(view, day, turnover, -turnover),
        streams=_streams(found),
    )


def _universe(view: View) -> Flags:
    names = view.names
    return np.array(
        [
            name.kind in ("spot", "perpetual") and name.quote in DOLLARS and name.base not in STABLE_ASSETS
            for name in names
        ],
        dtype=np.bool_,
    )


def _moved(view: View, interval: Interval, rows: int) -> Floats:
    """Returns over some rows up to the newest, (S,); NaN where either close is unknown."""
    bars = view.bars.get(interval)
    if bars is None or bars.rows <= rows:
        return np.full(view.size, np.nan)
    out: Floats = bars.close[-1] / bars.close[-1 - rows] - 1.0
    return out


def _turnover(view: View) -> Floats:
    """Turnover of 24 hours in quote units, as the venue states it, else of the kept bars."""
    stated = view.derivatives.turnover_24h
    bars = view.bars.get("5m")
    if bars is None or bars.rows < DAY_ROWS:
        return stated
    return np.where(np.isnan(stated), bars.quote_volume[-DAY_ROWS:].sum(axis=0), stated)


def _usual(view: View, universe: Flags) -> float | None:
    """Lower median of the dispersion of the last 30 days; None below ten."""
    bars = view.bars.get("1d")
    if bars is None:
        return None
    rows = range(max(1, bars.rows - USUAL_DAYS), bars.rows)
    found = [dispersion(bars.close[row] / bars.close[row - 1] - 1.0, universe).frac for row in rows]
    known = [value for value in found if value is not None]
    return lower_median(np.array(known)) if len(known) >= LEAST_DAYS else None


def _extremes(view: View, universe: Flags) -> int | None:
    bars = view.bars.get("5m")
    if bars is None or bars.rows < DAY_ROWS:
        return None
    high, low = bars.high[-DAY_ROWS:], bars.low[-DAY_ROWS:]
    top, bottom = high[-1] >= high.max(axis=0), low[-1] <= low.min(axis=0)
    return int(np.count_nonzero(top & universe)) - int(np.count_nonzero(bottom & universe))


def _volatility(found: Evaluation, leader: int | None) -> float | None:
    value = found.values["1m"].get(read("realized_volatility"))
    if leader is None or value is None:
        return None
    return number(float(value[0, leader] * np.sqrt(MINUTES_A_YEAR)))


def _perpetual(view: View) -> Flags:
    return np.array([spec.instrument.kind == "perpetual" for spec in view.instruments], dtype=np.bool_)


def _paid(view: View) -> Paid:
    facts = view.derivatives
    long_usd, short_usd = (_closed(view, side) for side in ("long", "short"))
    return Paid(
        f8=facts.funding_rate * EIGHT_HOURS_S / facts.funding_interval_s,
        interest_usd=facts.open_interest * facts.mark,
        before_usd=_interest_before(view),
        basis=(facts.mark - facts.index) / facts.index,
        long_share=facts.long_share,
        closed_long_usd=long_usd,
        closed_short_usd=short_usd,
    )


def _interest_before(view: View) -> Floats:
    """Open interest a day ago in quote units, (S,): the point nearest to it, at the close of its five minutes; NaN without."""
    out = np.full(view.size, np.nan)
    bars = view.bars.get("5m")
    wanted_ns = view.as_of_ns - DAY_MINUTES * MINUTE_NS
    if bars is None or not bars.rows:
        return out
    close_ns = bars.open_ns + 5 * MINUTE_NS
    for instrument, points in view.open_interest_history.items():
        column = view.column_of.get(instrument)
        if column is None or not len(points.time_ns):
            continue
        at = int(np.argmin(np.abs(points.time_ns - wanted_ns)))
        time_ns = int(points.time_ns[at])
        row = int(np.searchsorted(close_ns, time_ns, side="right")) - 1
        if abs(time_ns - wanted_ns) <= NEAR_NS and row >= 0 and time_ns - close_ns[row] <= NEAR_NS:
            out[column] = points.value[at] * bars.close[row, column]
    return out


def _closed(view: View, side: str) -> Floats:
    """What was closed by force of a side in 24 hours, quote units, (S,); NaN where not all of the day was watched."""
    minutes = view.minutes
    if minutes is None or minutes.rows < DAY_MINUTES:
        return np.full(view.size, np.nan)
    # A single minute that nobody watched makes the sum of the day unknown.
    out: Floats = minutes.column(f"liq_{side}_usd", minutes.rows - DAY_MINUTES).sum(axis=0)
    return out


def _movers(view: View, day: Floats, turnover: Floats, order: Floats) -> tuple[Mover, ...]:
    """The first by an order."""
    return tuple(
        Mover(view.instruments[at].instrument, number(float(day[at])), number(float(turnover[at])))
        for at in _ranked(order)[:MOVERS]
    )


def _ranked(order: Floats) -> list[int]:
    """The columns by an order, smallest first; what is unknown is left out."""
    return [int(at) for at in np.argsort(order, kind="stable") if not np.isnan(order[at])]


def _streams(found: Evaluation) -> dict[str, int]:
    counts = dict.fromkeys(("live", "late", "stale", "unsupported"), 0)
    size = len(found.instruments)
    for name in STREAMS:
        quality = found.now.stream_quality.get(name)
        if quality is None:
            counts["unsupported"] += size
            continue
        live = int(np.count_nonzero(quality >= WHOLE))
        stale = int(np.count_nonzero(quality <= 0))
        counts["live"] += live
        counts["stale"] += stale
        counts["late"] += size - live - stale
    return counts
