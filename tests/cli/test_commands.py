"""The commands as a new user types them: help, wrong input, exit codes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sextant.cli import exits
from sextant.errors import SextantError
from support.commands import run


def test_help_lists_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    for word in (
        "serve",
        "demo",
        "replay",
        "record",
        "scan",
        "evidence",
        "confluence",
        "doctor",
        "login",
        "opportunity",
        "users",
        "Exit codes",
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    "command",
    ["serve", "demo", "replay", "record", "scan", "evidence", "confluence", "doctor", "login", "opportunity"],
)
def test_help_of_a_command_has_an_example(tmp_path: Path, command: str) -> None:
    done = run(command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert f"sextant {command}" in done.stdout


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    probe = (
        "import sys; from sextant.cli.commands import app; app(['--help'], exit_on_error=False, result_action='return_value');"
        "heavy = {'numba', 'numpy', 'scipy', 'pyarrow', 'sqlalchemy', 'litestar', 'aiohttp'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("notes.txt", b"these are notes, not frames", "notes.txt"),
        ("empty.jsonl.zst", b"", "empty.jsonl.zst"),
        ("bars.parquet", b"PAR1 but nothing else", "bars.parquet"),
        ("noise.gz", gzip.compress(b"noise\nnoise\n", mtime=0), "noise.gz"),
    ],
)
def test_a_file_of_the_wrong_kind_is_one_line_that_names_it(
    tmp_path: Path, name: str, content: bytes, named: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("replay", str(tmp_path / name), folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert done.stdout == ""
    [line] = [line for line in done.stderr.splitlines() if line.strip()]
    assert named in line


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    done = run("replay", str(tmp_path / "absent.parquet"), folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert "absent.parquet" in done.stderr


@pytest.mark.data
def test_a_truncated_recording_says_where_it_ends(tmp_path: Path, data_dir: Path) -> None:
    whole = (data_dir / "cryptofeed" / "v3" / "BYBIT_btc_eth.jsonl.zst").read_bytes()
    cut = tmp_path / "cut.jsonl.zst"
    cut.write_bytes(whole[: len(whole) // 2])
    done = run("replay", str(cut), "--json", folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert "cut.jsonl.zst" in done.stderr


@pytest.mark.data
def test_a_replay_tells_the_same_twice(tmp_path: Path, data_dir: Path) -> None:
    path = str(data_dir / "cryptofeed" / "v3" / "BYBIT_btc_eth.jsonl.zst")
    told = [json.loads(run("replay", path, "--json", folder=tmp_path).stdout) for _ in range(2)]
    for answer in told:
        assert (answer["messages"], answer["gaps"], answer["crossed"]) == (1_996, 0, 0)
    assert told[0]["state_hash"] == told[1]["state_hash"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("scan", "--replay", "absent.parquet"), "absent.parquet"),
        (("scan", "--replay", "absent.parquet", "--as-of", "yesterday"), "yesterday"),
        (("scan", "--replay", "absent.parquet", "--assume-spread-bps", "-1"), "-1"),
        (("record", "here", "--seconds", "0"), "--seconds is 0"),
        (("record", "here", "--url", "ftp://nowhere"), "ftp://nowhere"),
    ],
)
def test_wrong_values_are_refused_by_name(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    done = run(*words, folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_line_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    assert run("scan", "--no-such-option", folder=tmp_path).returncode in (1, exits.USAGE)


def test_an_unknown_setting_stops_the_program(tmp_path: Path) -> None:
    done = run("doctor", folder=tmp_path, SEXTANT_PROT="8400")
    assert done.returncode == exits.CONFIG
    assert "SEXTANT_PROT" in done.stdout


def test_a_scan_without_a_token_says_how_to_get_one(tmp_path: Path) -> None:
    done = run("scan", folder=tmp_path)
    assert done.returncode == exits.REFUSED
    assert "SEXTANT_TOKEN" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("scan", "diff", "scan_a", "scan_b"),
        ("scan", "replay", "scan_a"),
        ("opportunity", "1"),
        ("confluence", "BTC"),
    ],
)
def test_whatever_asks_a_server_without_a_token_says_how_to_get_one(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(*words, folder=tmp_path)
    assert done.returncode == exits.REFUSED
    assert "sextant login" in done.stderr


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    done = run("scan", "--server", "http://127.0.0.1:9", folder=tmp_path, SEXTANT_TOKEN="none")
    assert done.returncode == exits.UNREACHABLE
    assert "http://127.0.0.1:9" in done.stderr


def test_doctor_finds_a_healthy_installation(tmp_path: Path) -> None:
    done = run("doctor", "--json", folder=tmp_path)
    findings = json.loads(done.stdout)
    assert done.returncode == 0
    assert {finding["verdict"] for finding in findings} <= {"ok", "warning"}
    assert findings[0]["check"] == "interpreter"


def test_doctor_says_whether_the_shared_store_answers_and_goes_on_without_it(tmp_path: Path) -> None:
    url = "redis://:canary-password@127.0.0.1:1/0"
    done = run("doctor", "--json", folder=tmp_path, SEXTANT_REDIS_URL=url)
    (store,) = [finding for finding in json.loads(done.stdout) if finding["check"] == "shared store"]
    assert (done.returncode, store["verdict"]) == (0, "warning")
    assert "canary" not in done.stdout + done.stderr


def test_a_person_is_added_once_and_the_password_is_shown_once(tmp_path: Path) -> None:
    first = run("users", "add", "ada@example.org", folder=tmp_path)
    other = json.loads(run("users", "add", "bob@example.org", "--json", folder=tmp_path).stdout)
    again = run("users", "add", "ADA@example.org", folder=tmp_path)
    assert first.returncode == 0
    assert "one-time password" in first.stdout
    assert (other["email"], other["role"]) == ("bob@example.org", "trader")
    assert again.returncode == exits.REFUSED
    assert "one-time password" not in again.stdout


def test_every_error_has_an_exit_code_of_its_own_kind() -> None:
    kinds = [SextantError]
    for kind in kinds:
        kinds.extend(found for found in kind.__subclasses__() if found.__module__ == "sextant.errors")
    defects = [kind.__name__ for kind in kinds if exits.exit_code(_made(kind)) == exits.DEFECT]
    assert defects == ["SextantError"]


def _made(kind: type[SextantError]) -> SextantError:
    try:
        return kind("message")
    except TypeError:
        return kind("message", retry_after_s=1.0)
