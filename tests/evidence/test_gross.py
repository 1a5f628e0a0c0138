"""What past events say before cost: worked by hand, equal to the whole card, and made once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.evidence.gross import EVERY, counts, figures, glance, independent, members, widened, widenings
from sextant.evidence.scorecard import Scorer
from sextant.strategies.proof import proof_of
from support.evidence import table_of

_TABLE = table_of(np.tile([0.02, 0.02, 0.02, -0.01], 10))


def test_forty_events_of_forty_days_are_as_worked_by_hand() -> None:
    told = figures(_TABLE, EVERY)
    assert told["gross_mean_bps"] == pytest.approx(125.0)
    assert told["gross_se_bps"] == pytest.approx(300 * math.sqrt(0.1875 * 40 / 39) / math.sqrt(40))
    assert told["shrink_frac"] == pytest.approx(40 / 90)
    assert (counts(_TABLE, EVERY)["n"], independent(_TABLE, EVERY)) == (40, 40.0)


def test_a_glance_proves_what_the_whole_card_proves_and_says_nothing_of_costs() -> None:
    seen, whole = glance(_TABLE, 1, 1.0), Scorer(_TABLE, np.array([50.0])).card(0, 1, 1.0)
    assert proof_of(seen) == proof_of(whole)
    assert (seen.n, seen.n_eff, seen.exits, seen.status) == (
        whole.n,
        whole.n_eff,
        whole.exits,
        whole.status,
    )
    assert seen.expectancy_bps is None
    assert whole.expectancy_bps is not None


def test_too_few_events_prove_nothing_at_a_glance_either() -> None:
    few = table_of(np.tile([0.02, -0.01], 5))
    assert widened(few, 0) is None
    assert glance(few, 1, 1.0).status == "insufficient_history"
    assert proof_of(glance(few, 1, 1.0)).gross_bps is None


def test_a_cell_is_widened_to_neighbours_then_its_direction_then_everything() -> None:
    assert widenings(1) == ((1,), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5, 6, 7))
    assert widenings(4)[1:3] == ((4, 5), (4, 5, 6, 7))


def test_what_is_read_off_the_events_is_made_once_and_anew_for_a_part_of_them() -> None:
    assert members(_TABLE, EVERY) is members(_TABLE, EVERY)
    assert glance(_TABLE, 1, 1.0) is glance(_TABLE, 1, 1.0)
    later = _TABLE.since(int(_TABLE.entry_ns[20]))
    assert len(members(later, EVERY)) == 20
