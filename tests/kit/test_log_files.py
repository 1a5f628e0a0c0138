"""Log files: nothing is lost while the disk is there, nothing waits for it, and old lines are found by time."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sextant.errors import InputError
from sextant.kit import log_files
from sextant.kit.clock import ManualClock
from sextant.kit.log_files import LogFiles, read_lines, since_of

START = int(datetime(2020, 2, 29, 9, tzinfo=UTC).timestamp()) * 10**9
SECOND = 10**9


def line(number: int, level: str = "info", at_ns: int = START) -> str:
    stamp = datetime.fromtimestamp(at_ns / 1e9, UTC)
    return json.dumps({"event": f"e{number}", "level": level, "timestamp": f"{stamp:%Y-%m-%dT%H:%M:%S.%fZ}"})


def told(folder: Path, since_ns: int = START - SECOND, level: log_files.Level = "debug") -> list[str]:
    return [json.loads(text)["event"] for text in read_lines(folder, since_ns, level)]


def write_many(files: LogFiles, first: int) -> None:
    for number in range(500):
        files.write(line(first + number))


def test_lines_come_back_in_order_from_several_writers(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, ManualClock(START))
    writers = [threading.Thread(target=write_many, args=(files, first)) for first in (0, 1_000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files.close()
    events = told(tmp_path)
    assert sorted(events) == sorted(f"e{first + n}" for first in (0, 1_000) for n in range(500))
    assert [event for event in events if len(event) <= 4] == [f"e{n}" for n in range(500)]


def test_a_full_file_and_a_new_day_turn_over_and_only_so_many_stay(tmp_path: Path) -> None:
    clock = ManualClock(START)
    files = LogFiles(tmp_path, clock, most_bytes=200, kept_files=3)
    names: list[set[str]] = []
    for number in range(3):
        files.write(line(number, at_ns=clock.now_ns()))
        files.drain()
        names.append({path.name for path in tmp_path.iterdir()})
    assert [len(found) for found in names] == [1, 1, 1]  # 200 bytes are passed by the third line
    files.write(line(3, at_ns=clock.now_ns()))
    files.drain()
    assert len(list(tmp_path.iterdir())) == 2
    for number in range(4, 8):
        clock.advance(86_400.0)
        files.write(line(number, at_ns=clock.now_ns()))
        files.drain()
    assert told(tmp_path) == ["e5", "e6", "e7"]
    files.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_what_the_disk_refuses_is_dropped_and_counted_never_waited_for(tmp_path: Path) -> None:
    blocked = tmp_path / "logs"
    blocked.write_text("a file where the folder should be")
    files = LogFiles(blocked, ManualClock(START))
    for number in range(20_000):
        files.write(line(number))
    blocked.unlink()
    while not blocked.is_dir():
        files.write(line(99_999))
    files.close()
    first = next(iter(read_lines(blocked, START - SECOND, "debug")))
    assert json.loads(first)["event"] == "log.dropped"
    assert json.loads(first)["count"] > 0


@pytest.mark.parametrize(("level", "kept"), [("debug", 40), ("info", 30), ("warning", 20), ("error", 10)])
def test_graver_levels_are_kept(tmp_path: Path, level: log_files.Level, kept: int) -> None:
    files = LogFiles(tmp_path, ManualClock(START))
    for number in range(10):
        for name in ("debug", "info", "warning", "error"):
            files.write(line(number, name))
    files.close()
    assert len(told(tmp_path, level=level)) == kept


def test_lines_since_a_time_are_found_in_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "BLOCK", 4_096)
    files = LogFiles(tmp_path, ManualClock(START))
    for number in range(9_000):
        files.write(line(number, at_ns=START + number * SECOND))
    files.close()
    for wanted in (0, 1, 4_321, 8_999):
        assert told(tmp_path, START + wanted * SECOND) == [f"e{n}" for n in range(wanted, 9_000)]
    assert told(tmp_path, START + 9_000 * SECOND) == []


def test_the_torn_last_line_of_a_killed_process_is_passed_over(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, ManualClock(START))
    files.write(line(1))
    files.close()
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + line(2).encode()[:-20])
    assert told(tmp_path) == ["e1"]


def test_an_absent_folder_has_no_lines(tmp_path: Path) -> None:
    assert told(tmp_path / "none") == []


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)])
def test_times_ago_are_read(text: str, seconds: int) -> None:
    assert since_of(text, START) == START - seconds * SECOND


@pytest.mark.parametrize("text", ["", "12", "h", "-1h", "1 h", "1w", "9999999h"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--since"):
        since_of(text, START)
