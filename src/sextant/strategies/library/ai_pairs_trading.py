"""Two perpetuals on one driver: their spread is stationary, and bearing its divergence is paid.

Most cointegration that is found in sample dies out of it, and an idea costs four fills. Hedge ratios come from the rows
before the ones they are used on, or the evidence lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import is_dollar
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.cointegration import Fit, critical, fit
from sextant.strategies.columns import Columns
from sextant.strategies.compose import silent, skipped
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.couple_compose import CoupleSpoken, compose_couples
from sextant.strategies.couple_margins import historic_rows
from sextant.strategies.couple_propose import judge_couples
from sextant.strategies.couples import Couple, CoupleSet, PastSignals
from sextant.strategies.funding import funding_sums
from sextant.strategies.gates import Admission, passed, room_gates

INTERVAL: Final[Interval] = "4h"
DAY_ROWS: Final = 6
REFIT_ROWS: Final = 42
WEEK_S: Final = 7 * 86_400.0
MOST_COUPLES: Final = 2_000
FLOOR_USD: Final = 5e6
PERPETUALS: Final = Admission(("perpetual",), floor_usd=FLOOR_USD)

NEEDS: Final = (
    Need("bars", INTERVAL, 624, 1.5 * 4 * 3600.0),
    Need("quotes", None, 1, 15.0),
    Need("funding", None, 30, 120.0),
)


Column = NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is looked at: the market, the numbers, and the columns of perpetuals in the order of their names."""

    view: View
    columns: Columns
    params: Mapping[str, float]
    named: Integers
    bases: Integers
    """(S,): number of the base asset of each instrument; one asset at two venues is no pair."""


@dataclass(frozen=True, eq=False)
class _Refit:
    """The couples of one row of the grid, fitted on the window before it and on the one before that."""

    row: int
    legs: Integers
    now: Fit
    before: Fit


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """How far each couple of liquid perpetuals stands from its own equilibrium, and whether that has been one.

    Notes
    -----
    Every 42 rows of the absolute grid couples are chosen and fitted on the ``window`` rows before; coefficients stand until
    the next refit. The verdict has the rows since the last one.
    """
    unheard = silent(INTERVAL, view, PERPETUALS)
    if unheard is not None:
        return unheard
    dollars = np.array([is_dollar(spec.instrument.quote) for spec in view.instruments], dtype=np.bool_)
    perpetual = PERPETUALS.admits(view) & dollars
    if np.count_nonzero(perpetual) < 2:
        return skipped(INTERVAL, view, "fewer than two perpetuals in dollars")
    named = sorted(np.flatnonzero(perpetual).tolist(), key=lambda c: str(view.instruments[c].instrument))
    grid = _grid(columns)
    bases = np.unique([spec.instrument.base for spec in view.instruments], return_inverse=True)[1]
    asked = _Asked(view, columns, params, np.array(named, dtype=np.int64), bases.astype(np.int64))
    refit = columns.once(
        ("pairs_refit", tuple(sorted(params.items()))),
        lambda: _refit(asked, int(grid[-1]) if len(grid) else 0),
        lasting=INTERVAL,
    )
    return compose_couples(columns, INTERVAL, NEEDS, _spoken(asked, refit), PERPETUALS)


def _grid(columns: Columns) -> Integers:
    """Rows on which couples are fitted anew: the same moments, wherever the frame begins."""
    number = columns.frame(INTERVAL).open_ns // INTERVAL_NS[INTERVAL]
    return np.flatnonzero(number % REFIT_ROWS == 0).astype(np.int64)


def _refit(asked: _Asked, row: int) -> _Refit:
    """The most correlated couples of the perpetuals that were traded most in the window before ``row``."""
    columns, named, params = asked.columns, asked.named, asked.params
    window, logs = int(params["window"]), columns.log_close(INTERVAL)
    first = row - window
    chosen = named[: int(params["instruments"])]
    if first >= 0:
        # Whoever has a gap in the window is traded least and comes in only where there is room.
        traded = np.nan_to_num(np.median(columns.turnover(INTERVAL)[first:row, named], axis=0), nan=-1.0)
        order = np.lexsort((np.arange(len(named)), -traded))
        chosen = named[np.sort(order[: int(params["instruments"])])]
    i, j = np.triu_indices(len(chosen), 1)
    legs = np.column_stack((chosen[i], chosen[j])).astype(np.int64)
    legs = legs[asked.bases[legs[:, 0]] != asked.bases[legs[:, 1]]]
    now = fit(logs, legs, first, window)
    if len(legs) > MOST_COUPLES:
        kept = np.sort(np.argsort(-np.nan_to_num(now.correlation, nan=-2.0), kind="stable")[:MOST_COUPLES])
        legs, now = legs[kept], Fit(*(part[kept] for part in now))
    return _Refit(row, legs, now, fit(logs, legs, first - REFIT_ROWS, window))


def _fit_gates(refit: _Refit, rows: int, params: Mapping[str, float]) -> tuple[Gate, ...]:
    """What a fit must show, the same on all its rows; (R, C)."""
    worse = np.maximum(refit.now.t, refit.before.t)
    limit = critical(int(params["window"]))
    beta = np.where(refit.now.beta > 0, np.minimum(refit.now.beta, 1.0 / refit.now.beta), refit.now.beta)

    def wide(values: Floats) -> Floats:
        return np.ascontiguousarray(np.broadcast_to(values, (rows, len(values))))

    return (
        Gate("correlation", wide(refit.now.correlation), params["correlation"], 1),
        Gate("cointegration", wide(worse), limit, -1, "t"),
        Gate("beta", wide(beta), params["beta_low"], 1, "of the larger leg"),
        Gate("half_life", wide(refit.now.half_life), params["half_life_low"], 1, "rows"),
        Gate("half_life_cap", wide(refit.now.half_life), params["half_life_high"], -1, "rows"),
        Gate("crossings", wide(refit.now.crossings), params["crossings"], 1),
    )


def _residual(logs: Floats, refit: _Refit) -> tuple[Floats, Floats]:
    """(e, z) of the rows given, (R, C), with the coefficients of the refit."""
    leads = refit.now.first_leads > 0
    first, second = logs[:, refit.legs[:, 0]], logs[:, refit.legs[:, 1]]
    y, x = np.where(leads, first, second), np.where(leads, second, first)
    e = y - refit.now.alpha - refit.now.beta * x
    return e, rolling.ratio(e, np.broadcast_to(refit.now.sd, e.shape))


def _spoken(asked: _Asked, refit: _Refit) -> CoupleSpoken:
    columns, params = asked.columns, asked.params
    logs = columns.log_close(INTERVAL)[refit.row :]
    _, z = _residual(logs, refit)
    size, rows = np.abs(z), len(z)
    lasts = _lasts(refit.now, params)
    own = (
        *_fit_gates(refit, rows, params),
        Gate("z", size, params["z"], 1, "sd"),
        Gate("z_cap", size, params["z_cap"], -1, "sd"),
    )
    leads = np.where(refit.now.first_leads > 0, 1.0, -1.0)
    direction = -np.sign(z) * leads
    reach_bps = (size[-1] - params["target_z"]) * refit.now.sd * 1e4
    live = (
        *_room(columns, refit, z[-1], params),
        Gate(
            "funding",
            _funding_share(asked, refit, direction[-1], (reach_bps, lasts))[None, :],
            params["funding_share"],
            -1,
            "of the target",
            live_only=True,
        ),
    )
    _, ages = historic_rows(own, direction)
    said = _said(asked, (refit, z[-1], lasts), ages)
    return CoupleSpoken(
        couples=said,
        direction=direction,
        strength=np.nan_to_num(size / params["z"]),
        gates=(*own, *live),
        facts={"z": z},
        params=params,
    )


def _lasts(found: Fit, params: Mapping[str, float]) -> Integers:
    """Rows of the time barrier: some half-lives, at least one row."""
    rows = np.rint(params["half_lives"] * np.nan_to_num(found.half_life))
    lasts: Integers = np.maximum(1, rows).astype(np.int64)
    return lasts


def _ratios(found: Fit) -> Floats:
    """Notional of the second instrument per notional of the first."""
    return np.where(found.first_leads > 0, found.beta, 1.0 / found.beta)


def _room(columns: Columns, refit: _Refit, z: Floats, params: Mapping[str, float]) -> tuple[Gate, Gate]:
    """How much of the ways to stop and target the quotes have left since ``z``, (C,), of the last close."""
    _, quoted = _residual(np.log(columns.touch.mid)[None, :], refit)
    side, far = np.sign(z), np.abs(z) + params["stop_z"]

    def ways(score: Floats) -> tuple[Floats, Floats]:
        return far - side * score, side * score - params["target_z"]

    return room_gates(ways(quoted[0]), ways(z))


def _funding_share(asked: _Asked, refit: _Refit, direction: Floats, case: tuple[Floats, Integers]) -> Floats:
    """Funding that both legs pay over the time barrier per way to the target, (C,); NaN where a rate is unknown.

    Notes
    -----
    A week's forecast in proportion to the barrier. Where the spread is closer than its target there is no way left, and no
    funding on it.
    """
    reach_bps, lasts = case
    sums = asked.columns.once(("funding_sums", WEEK_S), lambda: funding_sums(asked.view, WEEK_S))
    week = sums[refit.legs]
    beta = refit.now.beta
    leads = refit.now.first_leads > 0
    y, x = np.where(leads, week[:, 0], week[:, 1]), np.where(leads, week[:, 1], week[:, 0])
    side = np.where(leads, direction, -direction)
    spent = side * (y - beta * x) * 1e4 * lasts * (INTERVAL_NS[INTERVAL] / SECOND_NS / WEEK_S)
    return np.where(reach_bps > 0, spent / np.where(reach_bps > 0, reach_bps, 1.0), 0.0 * spent)


def _said(asked: _Asked, case: tuple[_Refit, Floats, Integers], ages: Integers) -> CoupleSet:
    refit, z, lasts = case
    columns, params, specs = asked.columns, asked.params, asked.view.instruments
    found, legs = refit.now, refit.legs
    # Levels are those of the first instrument, whichever of the two is explained by the other.
    unit = np.where(found.first_leads > 0, 1.0, -1.0 / found.beta) * found.sd * 1e4
    sigma_day = columns.volatility(INTERVAL, 7.0 * DAY_ROWS)[-1] * np.sqrt(DAY_ROWS)
    ratio = _ratios(found)
    couples = columns.once(
        ("pairs_named", legs.tobytes()),
        lambda: tuple(Couple(specs[i].instrument, specs[j].instrument) for i, j in legs.tolist()),
        lasting=INTERVAL,
    )
    return CoupleSet(
        couples=couples,
        legs=legs,
        ratio=ratio,
        horizon_s=lasts.astype(np.float64) * (INTERVAL_NS[INTERVAL] / SECOND_NS),
        horizon_rows=round(params["half_lives"] * params["half_life_high"]),
        sigma_frac=found.sd / np.maximum(1.0, found.beta),
        sigma_day=sigma_day[legs],
        leverage=np.ones(legs.shape),
        age_rows=ages,
        entry=unit * z,
        stop=unit * np.sign(z) * (np.abs(z) + params["stop_z"]),
        target=unit * np.sign(z) * params["target_z"],
        level_unit="basis points of spread: ln first - ratio x ln second, less its mean",
        stop_reason="",
        past=lambda: _past(asked),
        span_ns=7 * DAY_NS,
    )


@dataclass(frozen=True, eq=False)
class _Block:
    """The couples that may be traded between two refits."""

    refit: _Refit
    able: Flags
    """(C,): what the fits must show was shown."""

    @property
    def pairs(self) -> set[tuple[int, int]]:
        """Columns of the couples that may be traded."""
        return {(i, j) for i, j in self.refit.legs[self.able].tolist()}


def _past(asked: _Asked) -> PastSignals:
    """Every past signal with the coefficients of its own time; an open position keeps them until a refit refuses it."""
    columns, params = asked.columns, asked.params
    logs, rows = columns.log_close(INTERVAL), columns.frame(INTERVAL).rows
    volume = columns.volume_24h_usd(INTERVAL)
    blocks = []
    for row in _grid(columns).tolist():
        if row >= int(params["window"]) + REFIT_ROWS:
            refit = _refit(asked, row)
            together = np.ones(len(refit.legs), dtype=np.bool_)
            for gate in _fit_gates(refit, 1, params):
                together &= passed(gate)[0]
            blocks.append(_Block(refit, together))
    found: list[tuple[Column, ...]] = []
    for place, block in enumerate(blocks):
        end = min(block.refit.row + REFIT_ROWS, rows)
        mine = _Refit(
            block.refit.row,
            block.refit.legs[block.able],
            Fit(*(part[block.able] for part in block.refit.now)),
            block.refit.before,
        )
        _, z = _residual(logs[block.refit.row : end], mine)
        size = np.abs(z)
        traded = volume[block.refit.row : end][:, mine.legs].min(axis=2, initial=np.inf)
        row, couple = np.nonzero((size >= params["z"]) & (size <= params["z_cap"]) & (traded >= FLOOR_USD))
        found.append(_signals(mine, (row, couple), z, params, blocks[place + 1 :]))
    return _joined(asked.view, found)


def _signals(
    block: _Refit,
    where: tuple[Integers, Integers],
    z: Floats,
    params: Mapping[str, float],
    later: list[_Block],
) -> tuple[Column, ...]:
    """Columns of the signals of one block: first and second leg, row, direction, strength, ratio, stop, target, ends."""
    row, couple = where
    fits = Fit(*(part[couple] for part in block.now))
    legs, seen = block.legs[couple], z[row, couple]
    side = -np.sign(seen)
    leads = fits.first_leads > 0
    scale = np.where(leads, 1.0, 1.0 / fits.beta)
    # side (ln y - beta ln x) is left at these; stated for the first instrument it is divided by beta where that is x.
    stop = (side * fits.alpha - (np.abs(seen) + params["stop_z"]) * fits.sd) * scale
    target = (side * fits.alpha - params["target_z"] * fits.sd) * scale
    at = row + block.row
    last = at + _lasts(fits, params)
    leave = np.full(len(at), -1, dtype=np.int64)
    pairs = [(i, j) for i, j in legs.tolist()]
    for other in reversed(later):
        able = other.pairs
        lost = np.array([pair not in able for pair in pairs], dtype=np.bool_)
        leave = np.where(lost, other.refit.row, leave)
    leave = np.where(leave <= last, leave, -1)
    return (
        legs[:, 0],
        legs[:, 1],
        at,
        np.where(leads, side, -side),
        np.abs(seen) / params["z"],
        _ratios(fits),
        stop,
        target,
        last,
        leave,
    )


def _joined(view: View, found: list[tuple[Column, ...]]) -> PastSignals:
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] if found else [np.empty(0)] * 10
    legs = np.column_stack(columns[:2]).astype(np.int64)
    names = [str(spec.instrument) for spec in view.instruments]
    pairs = sorted({(i, j) for i, j in legs.tolist()}, key=lambda pair: (names[pair[0]], names[pair[1]]))
    places = {pair: place for place, pair in enumerate(pairs)}
    couple = np.array([places[i, j] for i, j in legs.tolist()], dtype=np.int64)
    order = np.lexsort((couple, columns[2]))
    row, direction, strength, ratio, stop, target, last, leave = (part[order] for part in columns[2:])
    specs = view.instruments
    return PastSignals(
        couples=tuple(Couple(specs[i].instrument, specs[j].instrument) for i, j in pairs),
        legs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        couple=couple[order],
        row=row.astype(np.int64),
        direction=direction.astype(np.int8),
        strength=strength,
        ratio=ratio,
        stop=stop,
        target=target,
        last_row=last.astype(np.int64),
        leave_row=leave.astype(np.int64),
    )


STRATEGY = Strategy(
    id="ai_pairs_trading",
    name="AI Pairs Trading",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="pairs_trading",
    unit="couple",
    lane="earn",
    evidence_kind="couple",
    needs=NEEDS,
    params=(
        Param("window", 540.0, 270.0, 540.0, "rows"),
        Param("instruments", 60.0, 20.0, 200.0, "instruments"),
        Param("correlation", 0.6, 0.3, 0.9, "correlation"),
        Param("beta_low", 0.2, 0.1, 0.5, "of the larger leg"),
        Param("half_life_low", 4.0, 2.0, 12.0, "rows"),
        Param("half_life_high", 84.0, 42.0, 168.0, "rows"),
        Param("crossings", 8.0, 4.0, 20.0, "crossings"),
        Param("z", 2.0, 1.5, 3.0, "sd"),
        Param("z_cap", 3.5, 3.0, 5.0, "sd"),
        Param("stop_z", 1.5, 0.5, 3.0, "sd"),
        Param("target_z", 0.5, 0.0, 1.0, "sd"),
        Param("half_lives", 3.0, 1.0, 5.0, "half-lives"),
        Param("funding_share", 0.25, 0.0, 0.5, "fraction"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    judge=judge_couples,
    references=(
        "Engle, Granger 1987, Co-integration and Error Correction, Econometrica 55",
        "MacKinnon 2010, Critical Values for Cointegration Tests, Queen's Economics Department Working Paper 1227",
        "Gatev, Goetzmann, Rouwenhorst 2006, Pairs Trading: Performance of a Relative-Value Arbitrage Rule",
    ),
    known_gaps=(
        "Perpetuals only: spot bought against a perpetual sold is not looked at.",
        "Couples are chosen anew at each refit; one that is no longer among the most traded is left.",
        "Evidence decides at closes: within a bar nobody knows in which order two instruments moved.",
    ),
)
