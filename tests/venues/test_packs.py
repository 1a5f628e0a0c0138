from __future__ import annotations

import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from sextant.errors import InputError
from sextant.model.bar import BarBlock
from sextant.model.events import Listed
from sextant.model.times import HOUR_NS, parse_time_ns
from sextant.venues import pack_table, packs
from sextant.venues.packs import PackReplay, bar_pack_events

DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
DAY_NS = parse_time_ns("2024-01-01T00:00Z")
SPOT_1H = "ohlcv/binance_spot_1h_136symbols_2024.parquet"


def rows_of(symbol: str, closes: list[float], first_hour: int = 0) -> list[dict[str, Any]]:
    """Hourly bars: open and low 1 under the close, high 1 above, volume 2.5."""
    return [
        {
            "symbol": symbol,
            "date": DAY + datetime.timedelta(hours=first_hour + hour),
            "open": close - 1,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": 2.5,
        }
        for hour, close in enumerate(closes)
    ]


def pack(tmp_path: Path, rows: list[dict[str, Any]], name: str = "binance_spot_1h.parquet") -> Path:
    path = tmp_path / name
    table = pa.Table.from_pylist(rows)
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    else:
        pf.write_feather(table, path)
    return path


def read(replay: PackReplay) -> tuple[list[Listed], list[BarBlock]]:
    events = list(replay.events)
    return (
        [event for event in events if isinstance(event, Listed)],
        [event for event in events if isinstance(event, BarBlock)],
    )


def test_two_symbols_become_two_columns_on_one_time_axis(tmp_path: Path) -> None:
    path = pack(tmp_path, rows_of("ETHUSDT", [10.25, 11.5]) + rows_of("BTCUSDT", [100.5, 101, 102], 1))
    replay = bar_pack_events(path)
    listed, blocks = read(replay)
    assert [str(event.spec.instrument) for event in listed] == [
        "binance:BTC-USDT:spot",
        "binance:ETH-USDT:spot",
    ]
    (block,) = blocks
    assert [(time - DAY_NS) // HOUR_NS for time in block.open_ns] == [0, 1, 2, 3]
    np.testing.assert_array_equal(
        block.close, [[math.nan, 10.25], [100.5, 11.5], [101, math.nan], [102, math.nan]]
    )
    assert np.isnan(block.taker_buy_volume).all()
    assert replay.period == (DAY_NS, DAY_NS + 4 * HOUR_NS)
    assert (replay.interval, replay.bars) == ("1h", 5)


def test_turnover_is_volume_times_typical_price_and_said_to_be_approximated(tmp_path: Path) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101])))
    (block,) = read(replay)[1]
    # (101 + 99 + 100) / 3 x 2.5
    assert block.quote_volume[0, 0] == 250.0
    assert any("quote_volume is approximated" in note for note in replay.notes)


def test_steps_are_the_smallest_decimals_seen_and_said_to_be_assumed(tmp_path: Path) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100.25, 101.5])))
    spec = read(replay)[0][0].spec
    assert (spec.tick, spec.lot, spec.min_notional) == (Decimal("0.01"), Decimal("0.1"), None)
    assert any("tick and lot are assumed" in note for note in replay.notes)


def test_only_bars_closed_by_the_time_are_read_and_later_ones_change_nothing(tmp_path: Path) -> None:
    known = rows_of("BTCUSDT", [100.5, 101.5])
    later = rows_of("BTCUSDT", [102.123, 103.0], 2) + rows_of("ETHUSDT", [7.0, 7.0], 2)
    whole = bar_pack_events(pack(tmp_path, known + later), until_ns=DAY_NS + 3 * HOUR_NS - 1)
    alone = bar_pack_events(pack(tmp_path, known, "binance_spot_short.parquet"))
    assert (whole.period, whole.instruments, whole.bars) == (alone.period, alone.instruments, alone.bars)
    (left,), (right,) = read(whole)[1], read(alone)[1]
    np.testing.assert_array_equal(left.close, right.close)
    exactly = bar_pack_events(pack(tmp_path, known + later), until_ns=DAY_NS + 3 * HOUR_NS)
    assert exactly.bars == 4  # the third of BTC and the first of ETH close just then


def test_bars_that_no_market_can_have_traded_are_absent_and_counted(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101, 102])
    rows[1]["high"] = 50.0
    replay = bar_pack_events(pack(tmp_path, rows))
    (block,) = read(replay)[1]
    assert [(time - DAY_NS) // HOUR_NS for time in block.open_ns] == [0, 2]
    assert any(note.startswith("1 rows break") for note in replay.notes)


def test_empty_numbers_are_absent_bars(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101, 102])
    rows[2]["close"] = None
    assert bar_pack_events(pack(tmp_path, rows)).bars == 2


def test_an_instrument_silent_for_a_day_is_marked_halted(tmp_path: Path) -> None:
    rows = rows_of("ETHUSDT", [10.0, 10.0]) + rows_of("BTCUSDT", [100.0] * 30)
    replay = bar_pack_events(pack(tmp_path, rows))
    assert {event.spec.instrument.base: event.spec.status for event in read(replay)[0]} == {
        "BTC": "trading",
        "ETH": "halted",
    }
    assert any("marked halted" in note for note in replay.notes)


def test_a_symbol_of_an_unknown_quote_is_left_out_with_its_reason(tmp_path: Path) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101]) + rows_of("FOOBARXYZ", [1, 2])))
    assert [str(item) for item in replay.instruments] == ["binance:BTC-USDT:spot"]
    assert any("FOOBARXYZ is left out" in note for note in replay.notes)


def test_venue_and_kind_come_from_the_name_or_are_noted_as_assumed(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101])
    named = bar_pack_events(pack(tmp_path, rows, "binance_usdm_1h.parquet"))
    assert str(named.instruments[0]) == "binance:BTC-USDT:perpetual"
    nameless = bar_pack_events(pack(tmp_path, rows, "mine.parquet"))
    assert str(nameless.instruments[0]) == "binance:BTC-USDT:spot"
    assert sum("is assumed" in note for note in nameless.notes) == 2
    told = bar_pack_events(pack(tmp_path, rows, "mine.parquet"), venue="bybit", kind="perpetual")
    assert str(told.instruments[0]) == "bybit:BTC-USDT:perpetual"


def test_a_feather_file_of_one_instrument_is_named_by_its_file(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "symbol"} for row in rows_of("", [100, 101])]
    replay = bar_pack_events(pack(tmp_path, rows, "BTC_USDT-1h.feather"), venue="kucoin", kind="spot")
    assert str(replay.instruments[0]) == "kucoin:BTC-USDT:spot"


def test_blocks_stay_under_the_bound_and_join_to_the_same_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes = [100.0 + hour for hour in range(10)]
    path = pack(tmp_path, rows_of("BTCUSDT", closes) + rows_of("ETHUSDT", closes))
    monkeypatch.setattr(packs, "MOST_CELLS", 6)
    blocks = read(bar_pack_events(path))[1]
    assert [len(block.open_ns) for block in blocks] == [3, 3, 3, 1]
    assert np.concatenate([block.close[:, 0] for block in blocks]).tolist() == closes


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"not a table at all", "no Parquet or Feather"), (b"PAR1 and nothing else", "no Parquet or Feather")],
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        bar_pack_events(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.parquet"):
        bar_pack_events(tmp_path / "absent.parquet")


def test_a_table_without_prices_is_refused_and_its_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks date, open, high, low, close, volume and has x"):
        bar_pack_events(pack(tmp_path, [{"x": 1}]))


def test_bars_of_an_interval_we_do_not_keep_are_refused(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101, 102])[::2]
    with pytest.raises(InputError, match="7200 s apart"):
        bar_pack_events(pack(tmp_path, rows))


def test_bars_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rising order"):
        bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101])[::-1]))


def test_bars_that_come_again_in_a_later_batch_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_table, "BATCH_ROWS", 2)
    rows = rows_of("BTCUSDT", [100, 101])
    with pytest.raises(InputError, match="rising order"):
        bar_pack_events(pack(tmp_path, rows + rows))


def test_rows_sorted_by_time_give_the_same_bars_as_rows_sorted_by_symbol(tmp_path: Path) -> None:
    rows = rows_of("ETHUSDT", [10.25, 11.5, 12]) + rows_of("BTCUSDT", [100.5, 101, 102])
    by_time = sorted(rows, key=lambda row: row["date"])
    (left,) = read(bar_pack_events(pack(tmp_path, rows)))[1]
    (right,) = read(bar_pack_events(pack(tmp_path, by_time)))[1]
    np.testing.assert_array_equal(left.close, right.close)
    np.testing.assert_array_equal(left.close, [[100.5, 10.25], [101, 11.5], [102, 12]])


def test_volumes_that_the_pack_states_are_taken_and_negative_ones_are_unknown(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101])
    for row, turnover, taken in zip(rows, (260.0, -1.0), (1.5, 0.5), strict=True):
        row |= {"turnover": turnover, "taker_buy_base_asset_volume": taken}
    replay = bar_pack_events(pack(tmp_path, rows))
    (block,) = read(replay)[1]
    np.testing.assert_array_equal(block.quote_volume[:, 0], [260.0, math.nan])
    np.testing.assert_array_equal(block.taker_buy_volume[:, 0], [1.5, 0.5])
    assert not any("quote_volume" in note for note in replay.notes)


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC-USDT", "btcusdt", "BTC_USDT", "BTC/USDT:USDT"])
def test_symbols_of_any_spelling_name_their_instrument(tmp_path: Path, symbol: str) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of(symbol, [100, 101])))
    assert [str(item) for item in replay.instruments] == ["binance:BTC-USDT:spot"]


def test_a_second_spelling_of_an_instrument_is_left_out(tmp_path: Path) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101]) + rows_of("BTC/USDT", [1, 2])))
    assert len(replay.instruments) == 1
    assert any("another symbol names the same" in note for note in replay.notes)


def test_a_symbol_that_names_no_asset_is_left_out(tmp_path: Path) -> None:
    replay = bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101]) + rows_of("B T-USDT", [1, 2])))
    assert len(replay.instruments) == 1
    assert any(note.startswith("B T-USDT is left out") for note in replay.notes)


def test_bars_off_the_interval_are_refused(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101])
    for row in rows:
        row["date"] += datetime.timedelta(minutes=1)
    with pytest.raises(InputError, match="no multiple of 1h"):
        bar_pack_events(pack(tmp_path, rows))


def test_a_single_bar_has_no_interval(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fewer than two bars"):
        bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100])))


def test_a_row_without_its_time_is_refused(tmp_path: Path) -> None:
    rows = rows_of("BTCUSDT", [100, 101, 102])
    rows[2]["date"] = None
    with pytest.raises(InputError, match="column date has 1 empty rows"):
        bar_pack_events(pack(tmp_path, rows))


def test_a_date_that_is_no_time_is_refused(tmp_path: Path) -> None:
    rows = [{**row, "date": "5"} for row in rows_of("BTCUSDT", [100, 101])]
    with pytest.raises(InputError, match="column date is string, not a time"):
        bar_pack_events(pack(tmp_path, rows))


@pytest.mark.parametrize("symbol", [5, b"BTCUSDT"])
def test_a_symbol_that_is_no_text_is_refused(tmp_path: Path, symbol: object) -> None:
    rows = [{**row, "symbol": symbol} for row in rows_of("", [100, 101])]
    with pytest.raises(InputError, match=r"column symbol is .*, not text"):
        bar_pack_events(pack(tmp_path, rows))


def test_symbols_may_be_spelled_in_full_or_by_index(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows_of("BTCUSDT", [100, 101]))
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        path = tmp_path / "binance_spot.parquet"
        pq.write_table(table.set_column(0, "symbol", pc.cast(table["symbol"], kind)), path)
        assert [item.base for item in bar_pack_events(path).instruments] == ["BTC"]


def test_too_many_symbols_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST_SYMBOLS", 1)
    with pytest.raises(InputError, match="over 1 symbols"):
        bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101]) + rows_of("ETHUSDT", [1, 2])))


def test_a_pack_of_numbers_without_any_decimal_step_holds_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its numbers show no decimal step"):
        bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [math.pi, math.e])))


def test_a_stretch_without_any_bar_gives_no_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST_CELLS", 2)
    path = pack(tmp_path, rows_of("BTCUSDT", [100, 101]) + rows_of("BTCUSDT", [102, 103], 6))
    blocks = read(bar_pack_events(path))[1]
    assert [((block.open_ns - DAY_NS) // HOUR_NS).tolist() for block in blocks] == [[0, 1], [6, 7]]


@pytest.mark.parametrize("name", ["binance_spot_1h.parquet", "binance_spot-1h.feather"])
def test_a_damaged_pack_is_an_error_of_ours_wherever_the_damage_is(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path, rows_of("BTCUSDT", [100.0 + hour for hour in range(50)]), name)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            read(bar_pack_events(path))
        except InputError:
            refused += 1
    assert refused > 0


def test_a_time_before_the_first_close_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bar that had closed"):
        bar_pack_events(pack(tmp_path, rows_of("BTCUSDT", [100, 101])), until_ns=DAY_NS)


@pytest.mark.data
def test_the_recorded_hours_of_136_instruments_arrive_bar_for_bar(data_dir: Path) -> None:
    replay = bar_pack_events(data_dir / SPOT_1H)
    (block,) = read(replay)[1]
    table = pq.read_table(data_dir / SPOT_1H)
    assert replay.bars == table.num_rows == 755_566
    assert len(replay.instruments) == 136
    column = [item.base for item in replay.instruments].index("PEPE")
    own = table.filter(pc.equal(pc.cast(table["symbol"], pa.string()), "PEPEUSDT"))
    present = ~np.isnan(block.close[:, column])
    assert block.close[present, column].tolist() == own["close"].to_pylist()
    assert block.volume[present, column].tolist() == own["volume"].to_pylist()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "bars", "instruments", "interval", "first"),
    [
        ("ohlcv/binance_spot_5m_12symbols_2024.parquet", 863_568, 12, "5m", "binance:ARB-USDT:spot"),
        ("ohlcv/binance_usdm_1m_8symbols_2025.parquet", 362_586, 8, "1m", "binance:ADA-USDT:perpetual"),
        ("kucoin/BTC_USDT-1h.feather", 3_007, 1, "1h", "kucoin:BTC-USDT:spot"),
    ],
)
def test_every_recorded_pack_is_read_whole(
    data_dir: Path, name: str, bars: int, instruments: int, interval: str, first: str
) -> None:
    replay = bar_pack_events(data_dir / name)
    blocks = read(replay)[1]
    assert sum(int((~np.isnan(block.close)).sum()) for block in blocks) == replay.bars == bars
    assert (len(replay.instruments), replay.interval) == (instruments, interval)
    assert str(replay.instruments[0]) == first
