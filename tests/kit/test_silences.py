from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.rate_limit import Silence
from sextant.kit.silences import Silences

NOW_NS = 1_786_310_817_000_000_000


def test_a_silence_outlives_its_process_and_holds_for_others(tmp_path: Path) -> None:
    clock = ManualClock(NOW_NS)
    path = tmp_path / "silences.json"
    other = Silences(path, clock)
    assert other.remaining("binance") == (0.0, "")
    Silences(path, clock).ask("binance", 120, "418")
    assert other.remaining("binance") == (120.0, "418")
    assert other.remaining("kraken") == (0.0, "")
    clock.advance(60)
    assert Silences(path, clock).remaining("binance") == (60.0, "418")
    clock.advance(60)
    assert other.remaining("binance") == (0.0, "")


def test_a_shorter_wish_never_shortens_and_ended_ones_are_dropped(tmp_path: Path) -> None:
    clock = ManualClock(NOW_NS)
    path = tmp_path / "silences.json"
    first, second = Silences(path, clock), Silences(path, clock)
    first.ask("a", 100, "long")
    second.ask("a", 10, "short")
    assert first.remaining("a") == second.remaining("a") == (100.0, "long")
    clock.advance(101)
    second.ask("b", 10, "x")
    assert b'"a"' not in path.read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"a":5}', b"\xff\xff", b'{"a":{"until_ns":"x","reason":1}}']
)
def test_a_damaged_file_counts_as_empty_and_what_this_process_asked_holds(
    tmp_path: Path, content: bytes
) -> None:
    clock = ManualClock(NOW_NS)
    path = tmp_path / "silences.json"
    mine = Silences(path, clock)
    mine.ask("a", 100, "why")
    path.write_bytes(content)
    assert mine.remaining("a") == (100.0, "why")
    assert Silences(path, clock).remaining("a") == (0.0, "")
    mine.ask("b", 5, "y")
    assert Silences(path, clock).remaining("b") == (5.0, "y")


def test_a_file_that_went_away_is_no_silence_of_others(tmp_path: Path) -> None:
    clock = ManualClock(NOW_NS)
    path = tmp_path / "silences.json"
    Silences(path, clock).ask("a", 100, "why")
    reader = Silences(path, clock)
    assert reader.remaining("a")[0] == 100.0
    path.unlink()
    assert reader.remaining("a") == (0.0, "")


WRITER = """
import sys
from pathlib import Path
from sextant.kit.clock import ManualClock
from sextant.kit.rate_limit import Silence
from sextant.kit.silences import Silences
for turn in range(20):
    Silences(Path(sys.argv[1]), ManualClock(int(sys.argv[3]))).ask(f"{sys.argv[2]}.{turn}", 100, "x")
"""


def test_processes_that_write_together_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "silences.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number), str(NOW_NS)])
        for number in range(2)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    reader = Silences(path, ManualClock(NOW_NS))
    assert all(reader.remaining(f"{number}.{turn}")[0] == 100.0 for number in range(2) for turn in range(20))


def test_a_silence_of_one_scope_is_shared_by_everything_that_keeps_it(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000_000)
    silences = Silences(tmp_path / "silences.json", clock)
    first, second = Silence(clock, silences.of("bybit|")), Silence(clock, silences.of("bybit|"))
    other = Silence(clock, silences.of("kraken|"))
    first.ask(30.0, "banned")
    assert (second.remaining_s(), second.reason) == (30.0, "banned")
    assert other.remaining_s() == 0.0
    clock.advance(31.0)
    assert first.remaining_s() == second.remaining_s() == 0.0
