from __future__ import annotations

from itertools import chain

import pytest

from sextant.evidence.partitions import partitions_of
from sextant.strategies.catalog import strategies

BARS = [strategy for strategy in strategies().values() if strategy.evidence_kind == "bars"]
COMPARING = {strategy.id for strategy in BARS if strategy.compares}


@pytest.mark.parametrize(
    ("size", "rows", "most"), [(1, 3, 1), (136, 6_000, 100_000), (2_000, 26_280, 1 << 20), (7, 100, 250)]
)
def test_every_strategy_meets_every_instrument_once(size: int, rows: int, most: int) -> None:
    parts = partitions_of(BARS, size, rows, most)
    met = [(name, column) for part in parts for name in part.strategies for column in part.columns]
    assert sorted(met) == sorted((strategy.id, column) for strategy in BARS for column in range(size))


def test_instruments_are_cut_so_that_a_job_holds_no_more_than_allowed() -> None:
    parts = [
        part for part in partitions_of(BARS, 136, 6_000, 100_000) if not COMPARING & set(part.strategies)
    ]
    assert max(len(part.columns) for part in parts) * 6_000 <= 100_000
    assert list(chain.from_iterable(part.columns for part in parts)) == list(range(136))


def test_what_compares_instruments_sees_all_of_them_in_a_job_of_its_own() -> None:
    assert {"ai_spot_mean_reversion", "ai_statistical_arbitrage"} == COMPARING
    parts = partitions_of(BARS, 136, 6_000, 1)
    own = [part for part in parts if COMPARING & set(part.strategies)]
    assert [(len(part.strategies), len(part.columns)) for part in own] == [(1, 136), (1, 136)]


def test_without_instruments_or_strategies_of_bars_there_is_nothing_to_do() -> None:
    assert partitions_of([], 5, 100) == ()
    others = [strategy for strategy in strategies().values() if strategy.evidence_kind != "bars"]
    assert partitions_of(others, 5, 100) == ()
