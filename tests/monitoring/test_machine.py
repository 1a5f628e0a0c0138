from __future__ import annotations

import os
from pathlib import Path

import pytest

from sextant.monitoring.machine import Machine


def write(folder: Path, cpu: str, available: int) -> None:
    (folder / "stat").write_text(f"cpu  {cpu}\ncpu0 1 2 3 4\n")
    (folder / "meminfo").write_text(f"MemTotal:  8000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n")


def test_shares_are_read_from_what_the_system_tells(tmp_path: Path) -> None:
    # user nice system idle iowait: 100 ticks pass, 60 of them idle and 10 waiting.
    write(tmp_path, "10 0 10 100 20 0 0", 2_000)
    machine = Machine(tmp_path, tmp_path, 0.0)
    first = machine.read()
    assert (first.cpu_pct, first.memory_pct) == (None, 75.0)
    write(tmp_path, "30 0 20 160 30 0 0", 1_000)
    second = machine.read()
    assert second.cpu_pct == pytest.approx(30.0)
    assert second.memory_pct == 87.5
    assert second.disk_pct is not None
    assert 0 <= second.disk_pct <= 100


def test_a_system_that_does_not_tell_gives_nothing(tmp_path: Path) -> None:
    told = Machine(tmp_path / "gone", tmp_path / "gone").read()
    assert (told.cpu_pct, told.memory_pct, told.disk_pct) == (None, None, None)


def test_a_counter_that_stands_still_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "10 0 10 100 20 0 0", 2_000)
    machine = Machine(tmp_path, tmp_path, 0.0)
    machine.read()
    assert machine.read().cpu_pct is None


def test_a_share_of_the_processors_counts_over_half_a_minute(tmp_path: Path) -> None:
    write(tmp_path, "0 0 0 100 0 0 0", 2_000)
    machine = Machine(tmp_path, tmp_path)
    cores = os.cpu_count() or 1
    assert machine.read().cpu_pct is None
    write(tmp_path, "5 0 0 100 0 0 0", 2_000)
    assert machine.read().cpu_pct is None, "five ticks are a peak"
    write(tmp_path, f"{1_000 * cores} 0 0 {100 + 3_000 * cores} 0 0 0", 2_000)
    assert machine.read().cpu_pct == pytest.approx(25.0)
    write(tmp_path, f"{1_010 * cores} 0 0 {100 + 3_000 * cores} 0 0 0", 2_000)
    assert machine.read().cpu_pct == pytest.approx(25.0), "the last share is told until there is another"
