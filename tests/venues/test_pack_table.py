from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from sextant.errors import InputError
from sextant.venues.pack_table import PackTable

OPEN_NS = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z


def placed(tmp_path: Path, columns: dict[str, Any], name: str = "x.parquet") -> Path:
    path = tmp_path / name
    (pq.write_table if name.endswith(".parquet") else pf.write_feather)(pa.table(columns), path)
    return path


def columns(
    time: Any, spelling: tuple[str, ...] = ("date", "open", "high", "low", "close", "volume")
) -> dict[str, Any]:
    return dict(zip(spelling, (time, [1.0], [2.0], [0.5], [1.5], [9.0]), strict=True))


@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize(
    "time",
    [
        pa.array([OPEN_NS // 10**9], pa.timestamp("s", tz="UTC")),
        pa.array([OPEN_NS // 10**6], pa.timestamp("ms", tz="UTC")),
        pa.array([OPEN_NS // 10**3], pa.timestamp("us")),
        pa.array([OPEN_NS], pa.timestamp("ns", tz="UTC")),
        pa.array([OPEN_NS // 10**9]),
        pa.array([OPEN_NS // 10**6]),
        pa.array([OPEN_NS // 10**3]),
        pa.array([OPEN_NS]),
    ],
    ids=str,
)
def test_a_time_of_any_unit_is_the_same_time(tmp_path: Path, time: Any, ending: str) -> None:
    (rows,) = PackTable(placed(tmp_path, columns(time), f"x.{ending}")).batches()
    assert rows.open_ns.tolist() == [OPEN_NS]


def test_short_names_of_columns_are_understood(tmp_path: Path) -> None:
    path = placed(tmp_path, columns([OPEN_NS], ("timestamp", "o", "h", "l", "c", "v")))
    (rows,) = PackTable(path).batches()
    assert {name: column[0] for name, column in rows.values.items()} == {
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": 1.5,
        "volume": 9.0,
    }


def test_whole_numbers_are_prices_too(tmp_path: Path) -> None:
    (rows,) = PackTable(placed(tmp_path, {**columns([OPEN_NS]), "open": [1]})).batches()
    assert rows.values["open"].dtype == np.float64


def test_several_instruments_without_symbols_are_refused(tmp_path: Path) -> None:
    path = placed(tmp_path, {**columns([OPEN_NS]), "venue": ["bybit"], "coin": ["BTC"]})
    with pytest.raises(InputError, match="it lacks symbol and has date, open"):
        PackTable(path)


def test_batches_may_be_read_again(tmp_path: Path) -> None:
    table = PackTable(placed(tmp_path, {**columns([OPEN_NS]), "pair": ["BTC/USDT"]}))
    assert len(list(table.batches())) == len(list(table.batches())) == 1
    assert table.symbols == {"BTC/USDT": 0}


def test_rows_come_symbol_after_symbol_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = placed(
        tmp_path,
        {
            **{name: np.arange(4.0) for name in ("open", "high", "low", "close", "volume")},
            "date": OPEN_NS + np.arange(4),
            "symbol": ["A", "B", "A", "B"],
        },
    )
    (rows,) = PackTable(path).batches()
    assert rows.by_symbol().values["close"].tolist() == [0.0, 2.0, 1.0, 3.0]
    assert rows.by_symbol().symbol.tolist() == [0, 0, 1, 1]


def test_text_where_a_number_belongs_is_damage(tmp_path: Path) -> None:
    table = PackTable(placed(tmp_path, {**columns([OPEN_NS]), "open": ["one"]}))
    with pytest.raises(InputError, match="damaged after 1 rows"):
        list(table.batches())
