"""Fixtures every room may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from support.valkey import Valkey, valkey

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does, before numpy is loaded

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recorded market data; tests that need it are skipped, loudly, where it is absent."""
    place = Path(os.environ.get("SEXTANT_DATA", _ROOT.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        pytest.skip(f"RECORDED MARKET DATA ABSENT at {place}: set SEXTANT_DATA to run this test")
    return place


@pytest.fixture(scope="module")
def store() -> Iterator[Valkey]:
    """A shared store of the tests of one module."""
    with valkey() as running:
        yield running


@pytest.fixture(autouse=True)
def _loggers_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that was used under one test's configuration would keep it, and later tests would capture nothing of it."""
    configure = structlog.configure

    def uncached(**facts: Any) -> None:
        configure(**{**facts, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
