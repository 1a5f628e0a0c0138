from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.scans.records import ScanRequest
from sextant.scans.universe import choose
from support.views import empty_view


def test_entries_that_name_nothing_are_told_and_the_rest_is_chosen() -> None:
    view = empty_view("BTC", "ETH", "SOL")
    universe = choose(view, ScanRequest(instruments=("btc", "NOPE", "SOL/USDT")), np.full(3, np.nan))
    assert universe.chosen.tolist() == [True, False, True]
    assert universe.unmatched == ("NOPE",)
    assert universe.count == 2


def test_a_request_that_names_nothing_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="None of the instruments asked for is known: NOPE, NADA"):
        choose(empty_view("BTC"), ScanRequest(instruments=("NOPE", "NADA")), np.full(1, np.nan))


def test_tiers_are_bands_and_unknown_turnover_belongs_only_to_any() -> None:
    view = empty_view("A", "B", "C", "D")
    turnover = np.array([2e8, 1e8, 9.9e7, np.nan])
    institutional = choose(view, ScanRequest(asset_tiers=("tier_institutional",)), turnover)
    enterprise = choose(view, ScanRequest(asset_tiers=("tier_enterprise",)), turnover)
    everything = choose(view, ScanRequest(asset_tiers=("tier_any",)), turnover)
    assert institutional.chosen.tolist() == [True, True, False, False]
    assert enterprise.chosen.tolist() == [False, False, True, False]
    assert everything.chosen.all()


@pytest.mark.parametrize(
    ("turnover", "tier"),
    [(1e8, "tier_institutional"), (5e7, "tier_enterprise"), (99.0, "tier_any"), (float("nan"), None)],
)
def test_the_band_of_a_turnover(turnover: float, tier: str | None) -> None:
    universe = choose(empty_view("A"), ScanRequest(), np.array([turnover]))
    assert universe.tiers == (() if tier is None else (tier,))
