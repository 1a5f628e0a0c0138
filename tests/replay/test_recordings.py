"""Every recorded file that is listed in the folder's README is read whole, frame for frame."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sextant.venues.recordings import read_recording

pytestmark = pytest.mark.data

# Received and REST counts as the README of the recordings states them.
FORMAT_2 = {
    "BYBIT_btc_eth": (1_996, 2),
    "COINBASE": (1_030, 1),
    "BINANCE": (265, 5),
    "BINANCE_FUTURES": (1_535, 5),
    "BINANCE_DELIVERY": (4_371, 11),
    "KRAKEN": (4_430, 1),
    "KRAKEN_FUTURES": (7_175, 1),
    "KUCOIN": (4_721, 10),
    "OKX": (410, 25),
    "DERIBIT": (136, 4),
    "BITGET": (1_157, 3),
    "GATEIO_FUTURES": (450, 11),
}
FORMAT_1 = {"BYBIT": (4_440, 1), "BITMEX": (2_120, 1), "KUCOIN": (4_721, 10), "BIT.COM": (1_184, 3)}
LOCAL_LINES = {
    "usdm_btcusdt_20240808.gz": 93_954,
    "usdm_btcusdt_20230405.dat.gz": 60_381,
    "spot_btcusdt_20240809.gz": 58_325,
    "cm_ethusd_perp_20240808.gz": 40_454,
    "hyperliquid_btc_20250126.gz": 55,
}


def kinds(path: Path) -> Counter[str]:
    return Counter(frame.kind for frame in read_recording(path))


@pytest.mark.parametrize("name", FORMAT_2)
def test_a_session_of_format_2_is_read_whole(data_dir: Path, name: str) -> None:
    path = data_dir / "cryptofeed" / "v3" / f"{name}.jsonl.zst"
    recording = read_recording(path)
    found = Counter(frame.kind for frame in recording)
    assert recording.container == "cryptofeed_2"
    assert (found["received"], found["http"]) == FORMAT_2[name]
    assert recording.frames_count == found.total()


@pytest.mark.parametrize("name", FORMAT_1)
def test_a_session_of_format_1_is_read_whole(data_dir: Path, name: str) -> None:
    files = sorted((data_dir / "cryptofeed" / "v1").glob(f"{name}.*"))
    found: Counter[str] = sum((kinds(path) for path in files), Counter())
    assert {read_recording(path).container for path in files} == {"cryptofeed_1"}
    assert (found["received"], found["http"]) == FORMAT_1[name]


def test_both_formats_of_one_session_hold_the_same_frames(data_dir: Path) -> None:
    folder = data_dir / "cryptofeed"
    old = [
        (frame.receive_ns, frame.kind, frame.data)
        for name in ("KUCOIN.0.gz", "KUCOIN.http.0.0.gz", "KUCOIN.ws.1.0.gz")
        for frame in read_recording(folder / "v1" / name)
    ]
    new = [
        (frame.receive_ns, frame.kind, frame.data)
        for frame in read_recording(folder / "v3" / "KUCOIN.jsonl.zst")
    ]
    assert sorted(old) == sorted(new)


@pytest.mark.parametrize("name", LOCAL_LINES)
def test_lines_of_local_time_are_read_whole(data_dir: Path, name: str) -> None:
    recording = read_recording(data_dir / "hftbacktest" / name)
    assert sum(1 for _ in recording) == LOCAL_LINES[name]
    assert recording.container == "hftbacktest"


def test_the_microseconds_of_2023_become_nanoseconds(data_dir: Path) -> None:
    first = next(read_recording(data_dir / "hftbacktest" / "usdm_btcusdt_20230405.dat.gz"))
    assert first.receive_ns == 1_680_652_800_005_184_000  # 2023-04-05T00:00:00.005184Z


def test_the_answer_within_the_stream_is_told_apart(data_dir: Path) -> None:
    assert kinds(data_dir / "hftbacktest" / "usdm_btcusdt_20240808.gz")["http"] == 1


def test_the_dump_of_krakens_book_is_read_whole_with_its_digits(data_dir: Path) -> None:
    recording = read_recording(data_dir / "kraken" / "orderbook-v2.json.gz")
    frames = list(recording)
    assert (recording.container, len(frames)) == ("kraken_v2", 510)
    assert b'"checksum": 2785033588' in frames[0].data
    assert b"29430.2" in frames[0].data


@pytest.mark.parametrize("name", ["README.md", "ohlcv/binance_spot_1h_136symbols_2024.parquet"])
def test_a_file_that_is_no_recording_is_refused(data_dir: Path, name: str) -> None:
    with pytest.raises(Exception, match="is no recording that is read here"):
        read_recording(data_dir / name)
