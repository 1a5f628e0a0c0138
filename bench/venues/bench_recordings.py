"""Recorded data in: a pack of bars as blocks, a recorded session as events, and frames into the log."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import data_dir, summary, tell, times_ms
from sextant.kit.clock import ManualClock
from sextant.kit.frames import FrameLog, read_frames
from sextant.venues.packs import bar_pack_events
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events

PACK = "ohlcv/binance_spot_1h_136symbols_2024.parquet"
SESSION = "cryptofeed/v3/BYBIT_btc_eth.jsonl.zst"
LINES = "hftbacktest/usdm_btcusdt_20240808.gz"


def packs(folder: Path) -> None:
    def load() -> int:
        replay = bar_pack_events(folder / PACK)
        assert sum(1 for _ in replay.events) == 137
        return replay.bars

    assert load() == 755_566
    spent = summary(times_ms(load))
    begun = time.process_time_ns()
    load()
    cpu_ms = (time.process_time_ns() - begun) / 1e6
    figures = {"load_136x6002_ms": spent["median"], "load_136x6002_p95_ms": spent["p95"]}
    tell("venues.packs", {**figures, "load_136x6002_cpu_ms": cpu_ms})


def recordings(folder: Path) -> None:
    frames = list(read_recording(folder / LINES))
    session = summary(times_ms(lambda: sum(1 for _ in replay_events([folder / SESSION]).events)))
    lines = summary(times_ms(lambda: sum(1 for _ in read_recording(folder / LINES)), runs=3))
    with tempfile.TemporaryDirectory() as place:

        def write() -> None:
            for old in Path(place).iterdir():
                old.unlink()
            with FrameLog(Path(place), "bench", ManualClock(0)) as log:
                for frame in frames:
                    log.write(frame)

        written = summary(times_ms(write, runs=3))
        path = next(Path(place).iterdir())
        read = summary(times_ms(lambda: sum(1 for _ in read_frames(path)), runs=3))
        assert sum(1 for _ in read_frames(path)) == len(frames) == 93_954
        raw = sum(len(frame.data) for frame in frames)
        tell(
            "venues.recordings",
            {
                "replay_messages_per_s": 1_996 / session["median"] * 1e3,
                "foreign_lines_per_s": len(frames) / lines["median"] * 1e3,
                "log_frames_written_per_s": len(frames) / written["median"] * 1e3,
                "log_frames_read_per_s": len(frames) / read["median"] * 1e3,
                "log_bytes_per_raw_byte": path.stat().st_size / raw,
            },
        )


def main() -> None:
    folder = data_dir()
    if folder is None:
        print("recorded market data absent: nothing measured")
        return
    packs(folder)
    recordings(folder)


if __name__ == "__main__":
    main()
