"""Scans of recorded bars: equal bytes each time, and no bar of the future has a say."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sextant.api.scans import results_body
from sextant.cli.scanning import Wanted, replay_results
from sextant.model.times import parse_time_ns
from sextant.strategies.catalog import strategies

pytestmark = pytest.mark.data

_PACK = "ohlcv/binance_spot_1h_136symbols_2024.parquet"
_TIMES = ("2024-04-01T00:00Z", "2024-06-01T00:00Z", "2024-08-05T13:00Z")
_WANTED = Wanted((), None, "unproven", "balanced", None)


def _scanned(path: Path, as_of: str) -> bytes:
    results, _ = replay_results(path, as_of, 5.0, _WANTED)
    assert results.status.universe_count is not None
    assert results.status.universe_count > 100
    return results_body(results)


@pytest.mark.parametrize("as_of", _TIMES)
def test_a_scan_of_the_past_is_equal_byte_for_byte(data_dir: Path, as_of: str) -> None:
    assert _scanned(data_dir / _PACK, as_of) == _scanned(data_dir / _PACK, as_of)


@pytest.mark.parametrize("as_of", _TIMES)
def test_bars_after_the_time_change_nothing(data_dir: Path, tmp_path: Path, as_of: str) -> None:
    table = pq.read_table(data_dir / _PACK)
    last_open = pa.scalar(parse_time_ns(as_of) // 1_000_000 - 3_600_000, pa.int64()).cast(
        table.schema.field("date").type
    )
    cut = tmp_path / "binance_spot_1h_cut.parquet"
    known = table.filter(pc.less_equal(table["date"], last_open))
    assert 0 < known.num_rows < table.num_rows
    pq.write_table(known, cut)
    assert _scanned(cut, as_of) == _scanned(data_dir / _PACK, as_of)


def test_what_is_found_over_months_has_costs_evidence_and_a_reason(data_dir: Path) -> None:
    found = 0
    for as_of in _TIMES:
        results, notes = replay_results(data_dir / _PACK, as_of, 5.0, _WANTED)
        assert any("assumed" in note for note in notes)
        for report in results.strategies:
            assert sum(report.dispositions.values()) == report.candidates
            if strategies()[report.strategy_id].unit == "instrument":
                assert report.candidates == results.status.universe_count
        for item in results.found:
            row = item.opportunity
            costs = [line for line in row.costs if line.item != "gross"]
            assert all(line.bps is not None and line.basis for line in costs)
            assert row.reasons
            assert row.evidence.n >= 0
            if row.edge_bps is not None:
                assert row.edge_bps == pytest.approx(sum(line.bps or 0.0 for line in row.costs), abs=1e-9)
                assert row.edge_bps > 0
        found += len(results.found)
    assert found > 0
