from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from sextant.cli.evidence_pool import processes_of, run_all
from sextant.cli.evidencing import Order, report_of
from sextant.cli.report import Report
from sextant.errors import InputError
from sextant.kit.blobs import Blobs
from sextant.scans.evidence_jobs import EvidenceJob, offered, plan_evidence, unfinished
from support.commands import run
from support.packs import one_file


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_file(tmp_path_factory.mktemp("pack"), 1_500)


def test_processes_give_each_job_a_result_and_say_so_once(pack: Path, tmp_path: Path) -> None:
    store, plan = Blobs(tmp_path), plan_evidence(pack, 5.0, "test", 4 * 1_500)
    jobs, told = offered(store, plan), list[EvidenceJob]()
    run_all(jobs, 2, told.append)
    assert sorted(told, key=lambda job: job.number) == list(jobs)
    assert unfinished(store, jobs) == []


def test_a_number_of_processes_that_is_none_is_refused() -> None:
    assert processes_of(3) == 3
    assert processes_of(None) == os.cpu_count()
    for jobs in (0, -1, 257):
        with pytest.raises(InputError, match=str(jobs)):
            processes_of(jobs)


def results_of(keep: Path) -> dict[str, int]:
    """When each result was written, by its name."""
    return {path.name: path.stat().st_mtime_ns for path in keep.glob("names/*/*") if path.name[:1].isdigit()}


@pytest.mark.timeout(120)
def test_a_run_that_is_killed_goes_on_where_it_was_and_says_the_same(pack: Path, tmp_path: Path) -> None:
    keep, words = tmp_path / "keep", ("evidence", "--data", str(pack), "--json", "--jobs", "1")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
    killed = subprocess.Popen(
        [sys.executable, "-m", "sextant", *words, "--keep", str(keep)],
        env=environ | {"SEXTANT_DATA_DIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while not results_of(keep) and killed.poll() is None and time.monotonic() < until:
            pass
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    kept = results_of(keep)
    assert kept
    again = run(*words, "--keep", str(keep), folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert msgspec.json.decode(again.stdout, type=Report) == report_of(Order((str(pack),)))
    assert {name: written for name, written in results_of(keep).items() if name in kept} == kept
    assert len(results_of(keep)) == 3
