from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.confluence.catalog import dimensions, voices
from sextant.confluence.regime import multipliers
from sextant.confluence.score import Folded, agreement, fold, words
from sextant.model.bar import Floats
from support import worked

EXACT = 5e-7  # the page shows six digits
NAMES = [voice.name for voice in voices()]


def one(x: Floats) -> float:
    return float(x[0, 0])


def test_worked_example_is_reproduced_to_six_digits() -> None:
    found = worked.folded(worked.signals(), worked.quality())
    assert one(found.coverage) == pytest.approx(0.915500, abs=EXACT)
    assert one(found.weight) == pytest.approx(0.923750, abs=EXACT)
    assert one(found.direction) == pytest.approx(0.443787, abs=EXACT)
    assert one(found.dissent) == pytest.approx(0.012622, abs=EXACT)
    assert one(found.consensus) == pytest.approx(0.975377, abs=EXACT)
    assert one(found.factor) == 1.0
    assert one(found.confluence) == pytest.approx(0.432860, abs=EXACT)
    assert one(found.score) == pytest.approx(71.642999, abs=EXACT)


@pytest.mark.parametrize(
    ("name", "used", "mean", "points"),
    [
        ("orderflow", 0.300000, 0.535200, 8.476674),
        ("orderbook", 0.180000, 0.361500, 3.435334),
        ("volume", 0.129600, 0.545000, 3.728977),
        ("price_structure", 0.148500, 0.346818, 2.719045),
        ("technical", 0.103000, 0.503010, 2.735280),
        ("sentiment", 0.062650, 0.165587, 0.547689),
    ],
)
def test_worked_example_tells_each_dimension(name: str, used: float, mean: float, points: float) -> None:
    found = worked.folded(worked.signals(), worked.quality())
    at = [dimension.name for dimension in dimensions()].index(name)
    u, n = (one(x) for x in found.dimensions[at])
    assert u == pytest.approx(used, abs=EXACT)
    assert n == pytest.approx(mean, abs=EXACT)
    made = 50 * one(found.consensus) * one(found.factor) * u * n / one(found.weight)
    assert made == pytest.approx(points, abs=EXACT)


def test_worked_example_without_its_regime() -> None:
    found = worked.folded(worked.signals(), worked.quality(), tau=0.5)
    assert one(found.direction) == pytest.approx(0.437930, abs=EXACT)
    assert one(found.dissent) == pytest.approx(0.013716, abs=EXACT)
    assert one(found.confluence) == pytest.approx(0.426238, abs=EXACT)
    assert one(found.score) == pytest.approx(71.311892, abs=EXACT)


def test_worked_example_without_its_book() -> None:
    q = {name: 0.0 if name.startswith("orderbook") else x for name, x in worked.quality().items()}
    found = worked.folded(worked.signals(), q)
    assert one(found.coverage) == pytest.approx(0.735500, abs=EXACT)
    assert one(found.weight) == pytest.approx(0.743750, abs=EXACT)
    assert one(found.direction) == pytest.approx(0.463702, abs=EXACT)
    assert one(found.dissent) == pytest.approx(0.013642, abs=EXACT)
    assert one(found.consensus) == pytest.approx(0.973441, abs=EXACT)
    assert one(found.factor) == pytest.approx(0.588750, abs=EXACT)
    assert one(found.confluence) == pytest.approx(0.265754, abs=EXACT)
    assert one(found.score) == pytest.approx(63.287701, abs=EXACT)
    assert one(found.points_lost) == pytest.approx(9.281643, abs=EXACT)


def test_worked_example_without_book_and_trades_is_below_the_floor() -> None:
    gone = [name for name in NAMES if name.startswith("orderbook") or name in worked.TRADES]
    found = worked.folded(worked.signals(), worked.quality() | dict.fromkeys(gone, 0.0))
    assert one(found.coverage) == pytest.approx(0.444500, abs=EXACT)
    assert one(found.factor) == 0.0
    assert one(found.confluence) == 0.0


def test_mirrored_example_mirrors_the_score() -> None:
    mirrored = {name: -s for name, s in worked.signals().items()}
    assert one(worked.folded(mirrored, worked.quality()).score) == pytest.approx(28.357001, abs=EXACT)


def test_nothing_present_is_no_direction_and_no_coverage() -> None:
    found = worked.folded(worked.signals(), dict.fromkeys(NAMES, 0.0))
    assert one(found.coverage) == 0.0
    assert np.isnan(found.direction).all()
    assert np.isnan(found.confluence).all()


unit = st.floats(-1, 1, allow_nan=False)
share = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 6))
trees = st.tuples(
    st.lists(unit, min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(share, min_size=len(NAMES), max_size=len(NAMES)),
    st.tuples(share, share, share),
)


def of(tree: tuple[list[float], list[float], tuple[float, float, float]]) -> Folded:
    s, q, (tau, hv, ll) = tree
    weather = multipliers(np.array([[tau]]), np.array([[hv]]), np.array([[ll]]))
    return fold(dimensions(), [np.array([[x]]) for x in s], [np.array([[x]]) for x in q], weather)


@given(trees, st.integers(0, len(NAMES) - 1), share)
@settings(max_examples=150, deadline=None)
def test_raising_a_signal_never_lowers_the_score(
    tree: tuple[list[float], list[float], tuple[float, float, float]], at: int, by: float
) -> None:
    before = of(tree)
    raised = list(tree[0])
    raised[at] = min(1.0, raised[at] + by)
    after = of((raised, tree[1], tree[2]))
    if before.weight[0, 0] > 0:
        assert one(after.confluence) >= one(before.confluence) - 1e-12


@given(trees)
@settings(max_examples=100, deadline=None)
def test_negating_all_signals_negates_the_score_exactly(
    tree: tuple[list[float], list[float], tuple[float, float, float]],
) -> None:
    before, after = of(tree), of(([-s for s in tree[0]], tree[1], tree[2]))
    assert np.array_equal(after.confluence, -before.confluence, equal_nan=True)


@given(trees, st.integers(0, len(NAMES) - 1), share)
@settings(max_examples=150, deadline=None)
def test_losing_quality_lowers_coverage_and_moves_the_score_without_a_jump(
    tree: tuple[list[float], list[float], tuple[float, float, float]], at: int, to: float
) -> None:
    worse = list(tree[1])
    worse[at] = min(worse[at], to)
    before, after = of(tree), of((tree[0], worse, tree[2]))
    assert one(after.coverage) <= one(before.coverage)
    if one(after.weight) > 0:
        lost = tree[1][at] - worse[at]
        assert abs(one(after.confluence) - one(before.confluence)) <= 0.2 * lost + 1e-9


@given(trees)
@settings(max_examples=100, deadline=None)
def test_score_is_never_larger_than_the_direction_it_is_made_of(
    tree: tuple[list[float], list[float], tuple[float, float, float]],
) -> None:
    found = of(tree)
    if one(found.weight) > 0:
        assert abs(one(found.confluence)) <= abs(one(found.direction))
        assert abs(one(found.direction)) <= 1 + 1e-12
        assert 1 / 3 - 1e-12 <= one(found.consensus) <= 1
        assert -1e-12 <= one(found.dissent) <= 1 + 1e-12


def test_column_alone_equals_the_column_among_many() -> None:
    rng = np.random.default_rng(3)
    s = [rng.uniform(-1, 1, (7, 40)) for _ in NAMES]
    q = [rng.uniform(0, 1, (7, 40)).round(2) for _ in NAMES]
    tau, hv, ll = (rng.uniform(0, 1, (7, 40)) for _ in range(3))
    many = fold(dimensions(), s, q, multipliers(tau, hv, ll))
    for at in (0, 17, 39):
        cut = slice(at, at + 1)
        alone = fold(
            dimensions(),
            [x[:, cut] for x in s],
            [x[:, cut] for x in q],
            multipliers(tau[:, cut], hv[:, cut], ll[:, cut]),
        )
        assert np.array_equal(alone.confluence, many.confluence[:, cut])
        assert np.array_equal(alone.coverage, many.coverage[:, cut])


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (70.0, "strong long"),
        (69.999, "leaning long"),
        (55.0, "leaning long"),
        (54.999, "neutral"),
        (45.001, "neutral"),
        (45.0, "leaning short"),
        (30.001, "leaning short"),
        (30.0, "strong short"),
    ],
)
def test_one_set_of_words(score: float, word: str) -> None:
    assert words(score) == word


def test_agreement_has_three_words() -> None:
    assert [agreement(c) for c in (0.8, 0.79, 0.6, 0.59)] == ["agreed", "split", "split", "mixed"]
