"""Scorecards: small tables worked by hand, widening, costs, grades."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.evidence.events import EventTable, event_table
from sextant.evidence.live import LiveRecord
from sextant.evidence.multiple import Tries
from sextant.evidence.scorecard import Scorer, shortfall, tries_of
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from support.evidence import EMPTY, table_of
from support.markets import momentum_market


def test_the_statistics_of_forty_events_are_as_worked_by_hand() -> None:
    # Thirty gains of 2 % and ten losses of 1 %, each in its own day, cost 50 bps: net +150 and -150 bps.
    gross = np.tile([0.02, 0.02, 0.02, -0.01], 10)
    card = Scorer(table_of(gross), np.array([50.0])).card(0, 1, 1.0)
    assert (card.status, card.n, card.n_eff, card.clusters_count) == ("scored", 40, 40.0, 40)
    assert card.hit_frac == 0.75
    assert card.gross_mean_bps == pytest.approx(125.0)
    assert card.expectancy_bps == pytest.approx(75.0)
    assert card.median_bps == pytest.approx(150.0)
    assert card.profit_factor == pytest.approx(3.0)
    assert card.es95_bps == pytest.approx(150.0)
    assert card.shrink_frac == pytest.approx(40 / 90)
    # sd of the 40 values: 300 bps * sqrt(0.75*0.25*40/39); se = sd/sqrt(40); t(39, 0.95) = 1.6849
    sd = 300 * math.sqrt(0.1875 * 40 / 39)
    assert card.gross_se_bps == pytest.approx(sd / math.sqrt(40))
    assert card.variance_frac == pytest.approx((sd / 1e4) ** 2)
    assert card.expectancy_low_bps == pytest.approx(75.0 - 1.68488 * sd / math.sqrt(40), abs=1e-3)
    assert card.expectancy_high_bps == pytest.approx(75.0 + 1.68488 * sd / math.sqrt(40), abs=1e-3)
    assert card.median_s == 3 * 3600
    assert card.mae_median_bps == pytest.approx(40.0)
    assert card.mfe_median_bps == pytest.approx(60.0)
    assert card.exits == {"target": 0, "stop": 0, "time": 40, "flag": 0}
    # edge = 40/90 * 125 - 50 = 5.6 bps, n_eff 40: a C.
    assert card.grade == "C"


@pytest.mark.parametrize("cells", [{0: 40}, {0: 10, 1: 40}, {0: 10}])
def test_the_variance_alone_is_that_of_the_card(cells: dict[int, int]) -> None:
    cell = np.repeat(list(cells), list(cells.values()))
    gross = np.random.default_rng(3).normal(0.0, 0.02, len(cell))
    known = Scorer(table_of(gross, cell=cell), np.array([5.0]))
    assert known.variance(1, 1.0) == known.card(0, 1, 1.0).variance_frac


def test_a_cell_without_losses_has_no_profit_factor() -> None:
    card = Scorer(table_of(np.linspace(0.01, 0.02, 40)), np.array([10.0])).card(0, 1, 1.0)
    assert card.profit_factor is None
    assert card.hit_frac == 1.0
    assert card.hit_high_frac is not None
    assert card.hit_high_frac <= 1.0


@pytest.mark.parametrize(
    ("cells", "n", "source"),
    [
        pytest.param({1: 30}, 30, "long, strength 1.15..1.35", id="its-own-cell"),
        pytest.param({1: 29, 0: 5, 2: 6, 3: 50}, 40, "long, strength 1..1.7", id="neighbours"),
        pytest.param({1: 10, 3: 40}, 50, "long, every strength", id="direction"),
        pytest.param({1: 10, 6: 40}, 50, "both directions, every strength", id="strategy"),
    ],
)
def test_a_cell_of_few_events_is_widened_and_says_so(cells: dict[int, int], n: int, source: str) -> None:
    cell = np.concatenate([np.full(count, number) for number, count in cells.items()])
    gross = np.where(np.arange(len(cell)) % 2, 0.02, -0.01)
    card = Scorer(table_of(gross, cell=cell), np.array([5.0])).card(0, 1, 1.2)
    assert (card.status, card.n, card.bucket) == ("scored", n, "1.15..1.35")
    assert source in card.source
    assert ("its own cell has" in card.source) == (n != 30)


def test_the_strongest_bucket_has_no_upper_edge() -> None:
    cell = np.repeat([7, 6, 4], [10, 25, 60])
    gross = np.where(np.arange(len(cell)) % 2, 0.02, -0.01)
    card = Scorer(table_of(gross, cell=cell), np.array([5.0])).card(0, -1, 2.5)
    assert (card.n, card.bucket) == (35, "1.7 and above")
    assert "short, strength 1.35 and above (its own cell has 10.0" in card.source


def test_fewer_than_thirty_independent_events_withhold_every_number() -> None:
    card = Scorer(table_of(np.full(29, 0.05)), np.array([1.0])).card(0, 1, 1.0)
    assert card.status == "insufficient_history"
    assert card.reason == "insufficient history: 29.0 of 30 independent events"
    assert (card.n, card.n_eff, card.grade) == (29, 29.0, "unproven")
    assert card.expectancy_bps is None
    assert card.confidence is None
    assert card.hit_frac is None


def test_five_hundred_instruments_that_fall_together_are_one_event() -> None:
    gross = np.repeat([0.03, -0.02, 0.01, 0.02], 125)
    table = table_of(gross, apart_days=1 / 125)
    card = Scorer(table, np.array([1.0])).card(0, 1, 1.0)
    assert card.n == 500
    assert card.n_eff == pytest.approx(4.0, abs=0.1)
    assert card.status == "insufficient_history"


def test_a_table_without_events_says_how_many_are_missing() -> None:
    scorer = Scorer(EMPTY, np.array([10.0]))
    for card in (scorer.card(0, -1, 2.0), scorer.summary(), scorer.summary(1)):
        assert (card.status, card.n, card.n_eff, card.clusters_count) == ("insufficient_history", 0, 0.0, 0)
        assert card.grade == "unproven"
    assert scorer.reality is None
    assert scorer.calibration is None
    assert scorer.out_of_sample is None


def _momentum() -> EventTable:
    view, plugin = momentum_market(), strategy("ai_spot_momentum_strategy")
    return event_table(
        plugin.id, plugin.defaults(), plugin.evaluate(view, plugin.defaults(), Columns(view)), view
    )


def test_costs_only_shift_net_figures() -> None:
    table = _momentum()
    free, dear = (Scorer(table, np.full(24, bps)).summary() for bps in (0.0, 40.0))
    for name in (
        "n",
        "n_eff",
        "clusters_count",
        "gross_mean_bps",
        "gross_se_bps",
        "shrink_frac",
        "exits",
        "median_s",
    ):
        assert getattr(free, name) == getattr(dear, name), name
    for name in ("expectancy_bps", "expectancy_low_bps", "expectancy_high_bps", "median_bps"):
        assert getattr(free, name) - getattr(dear, name) == pytest.approx(40.0), name
    assert dear.es95_bps - free.es95_bps == pytest.approx(40.0)  # type: ignore[operator]  # both are scored
    assert dear.variance_frac == pytest.approx(free.variance_frac)
    assert dear.hit_frac <= free.hit_frac  # type: ignore[operator]  # both are scored


def test_the_planted_trends_earn_grade_a() -> None:
    """strategies.md 3.1: deflated_p > 0.95, grade A."""
    card = Scorer(_momentum(), np.full(24, 22.0)).summary(1)
    assert card.deflated_p is not None
    assert card.deflated_p > 0.95
    assert card.grade == "A"
    assert card.source.endswith("long, every strength")


def test_events_of_unknown_cost_count_but_stay_out_of_net_figures() -> None:
    gross = np.concatenate((np.tile([0.02, -0.01], 20), np.full(10, 0.5)))
    table = table_of(gross, column=np.repeat([0, 1], [40, 10]), size=2)
    card = Scorer(table, np.array([10.0, math.nan])).card(0, 1, 1.0)
    assert card.n == 50
    assert card.expectancy_bps == pytest.approx(40.0)
    assert "leave out 10 events of unknown cost" in card.source
    unpriced = Scorer(table, np.array([10.0, math.nan])).card(1, 1, 1.0)
    assert unpriced.grade == "unproven"
    assert unpriced.confidence is None
    assert unpriced.reason == "The cost of this instrument is unknown."
    nothing = Scorer(table, np.full(2, math.nan)).card(0, 1, 1.0)
    assert nothing.expectancy_bps is None
    assert nothing.gross_mean_bps is not None


def test_the_shortfall_is_the_mean_of_the_worst_share() -> None:
    assert shortfall(np.arange(-50.0, 50.0), 0.05) == pytest.approx(48.0)  # mean of 50, 49, 48, 47, 46
    assert shortfall(np.array([3.0, 4.0]), 0.05) == -3.0


def test_more_tries_never_raise_what_survives_them() -> None:
    table = _momentum()
    alone = Scorer(table, np.full(24, 22.0))
    known = [
        Scorer(table, np.full(24, 22.0), tries).summary().deflated_p
        for tries in (None, Tries(200, 0.0), tries_of([alone]), tries_of([alone, alone], variants=50))
    ]
    survived = [value for value in known if value is not None]
    assert len(survived) == 4
    assert survived == sorted(survived, reverse=True)


def test_a_catalogue_counts_every_cell_and_takes_the_variance_of_their_ratios() -> None:
    rng = np.random.default_rng(4)
    first = Scorer(table_of(rng.normal(0.001, 0.01, 80), cell=np.repeat([0, 5], 40)), np.array([0.0]))
    second = Scorer(table_of(rng.normal(0.0, 0.01, 60), cell=np.repeat([2, 3], [50, 10])), np.array([0.0]))
    net = [first.table.gross[:40], first.table.gross[40:], second.table.gross[:50]]
    expected = np.var([values.mean() / values.std(ddof=1) for values in net], ddof=1)
    tries = tries_of([first, second], variants=3)
    assert tries.cells_count == 4 * 3
    assert tries.variance == pytest.approx(expected)


def test_live_ideas_are_counted_and_a_refuted_bucket_states_no_confidence() -> None:
    table, costs = table_of(np.tile([0.02, 0.02, 0.02, -0.01], 10)), np.array([50.0])
    plain = Scorer(table, costs).card(0, 1, 1.0)
    refuted = LiveRecord(40, 0.25, -80.0, 10.0, frozenset({0}))
    card = Scorer(table, costs, live=refuted).card(0, 1, 1.0)
    assert plain.confidence is not None
    assert (plain.live_count, plain.live_hit_frac, plain.miscalibrated, plain.edge_decay_z) == (
        0,
        None,
        False,
        None,
    )
    assert (card.live_count, card.live_hit_frac, card.miscalibrated, card.confidence) == (
        40,
        0.25,
        True,
        None,
    )
    # The past earned 75 bps with a standard error of about 21: -155 over hypot(21, 10).
    assert card.edge_decay_z == pytest.approx(-6.6, abs=0.3)
    other = LiveRecord(40, 0.5, None, None, frozenset())
    assert Scorer(table, costs, live=other).card(0, 1, 1.0).confidence == plain.confidence
