"""``sextant logs``: the lines of a server, by time and level."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sextant.cli import exits
from sextant.kit.clock import SystemClock
from sextant.kit.log_files import LogFiles
from support.commands import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = LogFiles(tmp_path / "logs", SystemClock())
    for level in ("info", "error"):
        stamp = "2999-01-01T00:00:00.000000Z"
        files.write(
            json.dumps({"event": f"an.{level}", "level": level, "room": "market", "timestamp": stamp, "n": 3})
        )
    files.close()
    return tmp_path


def test_lines_of_a_level_are_told_to_a_person_and_to_a_program(folder: Path) -> None:
    told = run("logs", "--since", "12h", "--level", "error", folder=folder)
    assert told.stdout.splitlines() == ["2999-01-01T00:00:00.000000Z error market an.error  n=3"]
    exact = run("logs", "--json", folder=folder)
    assert [json.loads(line)["event"] for line in exact.stdout.splitlines()] == ["an.info", "an.error"]


def test_where_nothing_was_logged_it_says_where_it_looked(tmp_path: Path) -> None:
    done = run("logs", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert str(tmp_path / "logs") in done.stderr


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    done = run("logs", "--since", "yesterday", folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert "yesterday" in done.stderr
