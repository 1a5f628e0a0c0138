from __future__ import annotations

import numpy as np
import pytest

from sextant.strategies.couple_offer import first_reached
from support.carries import interval_trap, spot_carry
from support.couple_runs import scanned, single


def test_a_level_is_reached_by_the_first_payment_that_makes_the_sum() -> None:
    accrued = (np.array([10.0, 20.0, 30.0]), np.array([4.0, 8.0, 7.0]))
    assert first_reached(accrued, 4.0, 99.0) == 10.0
    assert first_reached(accrued, 4.1, 99.0) == 20.0
    assert first_reached(accrued, 9.0, 99.0) == 99.0
    assert first_reached((np.empty(0), np.empty(0)), 0.0, 99.0) == 99.0


def test_the_costs_are_earned_at_the_sixth_settlement() -> None:
    """strategies.md 3.11: 6 bps each eight hours against 35 bps."""
    assert single(scanned("ai_funding_arbitrage", spot_carry())).break_even_s == 6 * 8 * 3600.0


def test_payments_of_two_clocks_are_added_up_in_the_order_of_their_times() -> None:
    # Each eight hours the short leg receives eight times 1 bp and the long leg pays one: after 24 hours 21 bps, and two
    # hours later the 23 bps that the couple costs.
    assert single(scanned("ai_funding_arbitrage", interval_trap())).break_even_s == pytest.approx(26 * 3600.0)
