"""strategies.md 3.5 with the numbers stated there, and the past of pairs against a plain second implementation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.evidence.scorecard import Scorer
from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.scorecard import Scorecard
from sextant.model.times import HOUR_NS
from sextant.model.view import View, bar_frame
from sextant.scans.run import past_events
from sextant.strategies.catalog import strategy
from sextant.strategies.cointegration import critical
from support.carries import BPS, Carried, carrying, constant, drifting_pair, paired, pairs_market
from support.couple_runs import answer, evaluated, rearranged, scanned, single
from support.markets import autoregression, noise

NAME = "ai_pairs_trading"
WINDOW, GRID = 540, 42
STEP_NS = 4 * HOUR_NS


def reading(view: View) -> dict[str, float | None]:
    return {gate.gate: gate.value for gate in answer(scanned(NAME, view)).gates}


def hanging(count: int, rows: int, seed: int = 900) -> View:
    """``count`` perpetuals that all hang on one wandering price, each with its own reverting distance."""
    x = np.cumsum(0.01 * noise(seed, rows))
    names = [f"C{number:03d}" for number in range(count)]
    logs = np.column_stack(
        [(0.8 + 0.1 * k) * x + autoregression(seed + 7 * k + 1, rows, 0.92, 0.006) for k in range(count)]
    )
    legs = tuple(
        Carried("binance", "perpetual", interval_h=8, rate=BPS, settled=constant(0.0, 40, 8), base=name)
        for name in names
    )
    return carrying(legs, rows=rows, prices=100.0 * np.exp(logs))


def changed(view: View, row: int, factor: float) -> View:
    """The same market with one close of the first instrument moved."""
    frame = view.bars["4h"]
    columns = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
    columns["close"][row, 0] *= factor
    return dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, columns)})


def test_the_fixture_of_the_page() -> None:
    row = single(scanned(NAME, pairs_market()))
    gates = {gate.gate: gate.value for gate in row.gates}
    assert gates["cointegration"] == pytest.approx(-5.4, abs=0.05)
    assert gates["half_life"] == pytest.approx(6.0, abs=0.5)
    assert gates["z"] == pytest.approx(2.4, rel=1e-6)
    first, second = row.legs
    assert (first.instrument.base, first.side) == ("C000", "buy")
    assert (second.instrument.base, second.side) == ("C001", "sell")
    assert second.notional_usd / first.notional_usd == pytest.approx(1.2, abs=0.05)
    assert row.horizon_s == 18 * 4 * 3600.0  # three half-lives of 5.87 rows
    assert row.strength == pytest.approx(1.2)


def test_levels_are_those_of_the_spread() -> None:
    row = single(scanned(NAME, pairs_market()))
    assert row.entry is not None
    assert row.stop is not None
    entry, stop, target = float(row.entry), float(row.stop), float(row.targets[0].price)
    one = -entry / 2.4  # basis points of one standard deviation
    assert stop == pytest.approx(-(2.4 + 1.5) * one, abs=0.01)
    assert target == pytest.approx(-0.5 * one, abs=0.01)


def test_a_rest_that_wanders_is_not_traded() -> None:
    item = answer(scanned(NAME, drifting_pair()))
    assert (item.kind, item.stage) == ("gate_failed", "cointegration")
    assert item.value is not None
    assert -2.6 <= item.value <= -1.2
    assert item.limit == pytest.approx(-3.917, abs=5e-4)


def test_it_is_the_same_trade_whichever_instrument_comes_first() -> None:
    logs = [np.log(pairs_market().bars["4h"].close[:, column] / 100.0) for column in (0, 1)]
    swapped = single(scanned(NAME, paired(logs[0], logs[1])))  # C000 is x now, C001 is y
    plain = single(scanned(NAME, pairs_market()))
    sides = {leg.instrument.base: (leg.side, leg.notional_usd) for leg in swapped.legs}
    wanted = {leg.instrument.base: (leg.side, leg.notional_usd) for leg in plain.legs}
    assert sides["C001"][0] == wanted["C000"][0] == "buy"
    assert sides["C001"][1] == pytest.approx(wanted["C000"][1], rel=1e-3)
    assert sides["C000"][1] == pytest.approx(wanted["C001"][1], rel=1e-3)
    assert swapped.size.risk_usd == pytest.approx(plain.size.risk_usd, rel=1e-3)


def test_the_hedge_ratio_knows_nothing_from_its_refit_on() -> None:
    view = pairs_market()
    before = reading(view)
    # The last refit lies on row 996: a close of row 997 is not in its window, one of row 995 is.
    assert reading(changed(view, 997, 1.05))["cointegration"] == before["cointegration"]
    assert reading(changed(view, 996, 1.05))["beta"] == before["beta"]
    assert reading(changed(view, 995, 1.05))["beta"] != before["beta"]


def test_the_grid_does_not_move_with_the_frame() -> None:
    view = pairs_market()
    frame = view.bars["4h"]
    columns = {name: getattr(frame, name)[17:] for name in BAR_FIELDS}
    shorter = dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns[17:], columns)})
    assert reading(shorter) == reading(view)


def test_only_the_most_traded_are_coupled() -> None:
    view = hanging(22, 650)
    frame = view.bars["4h"]
    columns = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
    columns["quote_volume"][:, 3] = 1e5
    columns["quote_volume"][:, 8] = 2e5
    poor = dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, columns)})
    verdict = evaluated(NAME, poor, instruments=20.0)
    assert verdict.couples is not None
    named = {instrument.base for couple in verdict.couples.couples for instrument in couple.instruments}
    assert verdict.couples.count == 190
    assert named == {f"C{k:03d}" for k in range(22)} - {"C003", "C008"}


def by_hand(view: View) -> set[tuple[int, int, int, int, int]]:
    """Couple, row, direction and horizon of every past signal, by loops and least squares."""
    frame = view.bars["4h"]
    logs = np.log(frame.close)
    starts = [t for t in range(frame.rows) if (frame.open_ns[t] // STEP_NS) % GRID == 0]
    found = set()
    for start in (t for t in starts if t >= WINDOW + GRID):
        for i in range(view.size):
            for j in range(i + 1, view.size):
                fits = [
                    _fitted(logs[s - WINDOW : s, i], logs[s - WINDOW : s, j]) for s in (start, start - GRID)
                ]
                (t, leads, alpha, beta, sd, half_life, crossings), (t_before, *_) = fits
                returns = np.diff(logs[start - WINDOW : start, (i, j)], axis=0)
                good = max(t, t_before) <= critical(WINDOW) and 0.2 <= beta <= 5 and 4 <= half_life <= 84
                if not (good and crossings >= 8 and np.corrcoef(returns, rowvar=False)[0, 1] >= 0.6):
                    continue
                y, x = (i, j) if leads else (j, i)
                for row in range(start, min(start + GRID, frame.rows)):
                    z = (logs[row, y] - alpha - beta * logs[row, x]) / sd
                    if 2.0 <= abs(z) <= 3.5:
                        side = -np.sign(z) * (1 if leads else -1)
                        found.add((i, j, row, int(side), row + max(1, round(3 * half_life))))
    return found


def _fitted(first: Floats, second: Floats) -> tuple[float, bool, float, float, float, float, int]:
    ways = []
    for leads, (y, x) in ((True, (first, second)), (False, (second, first))):
        (alpha, beta), *_ = np.linalg.lstsq(np.column_stack((np.ones(WINDOW), x)), y, rcond=None)
        e = y - alpha - beta * x
        design = np.column_stack((e[1:-1], np.diff(e)[:-1]))
        change = np.diff(e)[1:]
        rho, *_ = np.linalg.lstsq(design, change, rcond=None)
        rest = change - design @ rho
        spread = rest @ rest / (len(change) - 2) * np.linalg.inv(design.T @ design)
        b = float(e[1:] @ e[:-1] / (e[:-1] @ e[:-1]))
        half_life = -np.log(2) / np.log(b) if 0 < b < 1 else 0.0
        crossings = int(np.count_nonzero(np.diff(e > 0)))
        t = float(rho[0] / np.sqrt(spread[0, 0]))
        ways.append((t, leads, float(alpha), float(beta), float(e.std(ddof=1)), half_life, crossings))
    return min(ways, key=lambda way: way[0])


def test_past_signals_are_those_of_plain_loops() -> None:
    view = hanging(4, 760)
    verdict = evaluated(NAME, view)
    assert verdict.couples is not None
    past = verdict.couples.past()
    legs = past.legs[past.couple]
    mine = set(
        zip(
            legs[:, 0].tolist(),
            legs[:, 1].tolist(),
            past.row.tolist(),
            past.direction.tolist(),
            past.last_row.tolist(),
            strict=True,
        )
    )
    assert mine == by_hand(view)
    assert len(mine) > 20


def test_a_spread_that_reverts_is_worth_something_and_its_couples_are_named() -> None:
    view = hanging(6, 1400)
    chosen = strategy(NAME)
    table = past_events(chosen, evaluated(NAME, view), view)
    assert table.kind == "couple"
    assert table.span_ns == 7 * 24 * HOUR_NS
    assert table.count > 50
    # Entered beyond two deviations of about 150 bps that revert: the mean must lie above its own error, and it is no
    # wonder that it does. The names are those of the dispositions.
    error = float(table.gross.std(ddof=1)) / np.sqrt(table.count)
    assert float(table.gross.mean()) > 2 * error
    assert {str(unit) for unit in table.instruments} >= {
        "binance:C000-USDT:perpetual / binance:C001-USDT:perpetual"
    }


def test_order_of_instruments_does_not_move_the_past() -> None:
    view = hanging(5, 760)
    chosen = strategy(NAME)
    moved = rearranged(view, [4, 2, 0, 3, 1])
    one, other = (past_events(chosen, evaluated(NAME, market), market) for market in (view, moved))
    assert one.gross.tolist() == other.gross.tolist()
    assert [str(one.instruments[c]) for c in one.column] == [str(other.instruments[c]) for c in other.column]


def drawn(seed: int, keep: float, rows: int = 3_000, count: int = 10) -> View:
    """Ten prices on one driver, each with a distance of its own that is kept from row to row by the share ``keep``."""
    chance = np.random.default_rng(seed)
    x = np.cumsum(0.01 * chance.normal(size=rows))
    own = 0.005 * chance.normal(size=(rows, count))
    for row in range(1, rows):
        own[row] += keep * own[row - 1]
    legs = tuple(
        Carried(
            "binance", "perpetual", interval_h=8, rate=0.0, settled=constant(0.0, 40, 8), base=f"C{k:03d}"
        )
        for k in range(count)
    )
    slopes = 0.8 + 0.05 * np.arange(count)
    return carrying(legs, rows=rows, prices=100.0 * np.exp(slopes * x[:, None] + own))


def summary_of(view: View) -> Scorecard:
    chosen = strategy(NAME)
    table = past_events(chosen, evaluated(NAME, view), view)
    return Scorer(table, np.zeros(len(table.instruments))).summary()


@pytest.mark.parametrize("seed", range(4))
def test_distances_that_wander_prove_nothing_and_distances_that_revert_are_proven(seed: int) -> None:
    """What is cointegrated in sample by chance alone is rare and stays unproven, before any cost."""
    chance, planted = summary_of(drawn(seed, 1.0)), summary_of(drawn(seed, 0.93))
    assert chance.n_eff < 30
    assert (chance.grade, chance.expectancy_bps) == ("unproven", None)
    assert planted.n_eff > 100
    assert planted.grade == "A"
    assert planted.expectancy_low_bps is not None
    assert planted.expectancy_low_bps > 100.0


def test_prices_that_do_not_move_or_move_as_one_are_unreadable_and_gaps_are_counted() -> None:
    x = np.cumsum(0.01 * noise(100, 1_000))
    still = answer(scanned(NAME, paired(x, np.zeros(1_000))))
    assert (still.kind, still.stage) == ("insufficient_data", "gate.correlation")
    alike = answer(scanned(NAME, paired(x, x)))
    assert (alike.kind, alike.stage) == ("insufficient_data", "gate.cointegration")
    y = 1.2 * x + autoregression(5, 1_000, 0.9, 0.006)
    y[700] = np.nan
    gap = answer(scanned(NAME, paired(x, y)))
    # The open after an unknown close is unknown too: 298 whole bars follow it.
    assert (gap.kind, gap.stage, gap.value, gap.limit) == ("insufficient_data", "bars.4h", 298.0, 624.0)
