"""Frames of several venues in one run, over real loopback sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from sextant.cli.recording import Order, record_frames
from sextant.errors import VenueError
from sextant.kit.clock import SystemClock
from sextant.kit.frames import read_frames
from sextant.sim import together

NOWHERE = "http://127.0.0.1:9"  # the port of discard; nothing listens there


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a recording by venue."""
    return {path.name.partition("-")[0]: path for path in folder.iterdir()}


async def test_each_venue_has_a_file_that_begins_with_its_instruments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with together.start(SystemClock(), seed=7, instruments=12) as address:
        order = Order(("BTC",), 2.0, address, ("bybit", "kraken", "binance"))
        await record_frames(tmp_path, order, as_json=True)
    assert '"frames":' in capsys.readouterr().out
    files = files_in(tmp_path)
    assert set(files) == {"bybit", "kraken", "binance"}
    for name, path in files.items():
        frames = list(read_frames(path))
        assert frames[0].kind == "http"
        opened = {frame.connection: frame.address for frame in frames if frame.kind == "open"}
        assert opened
        # Below its own path at the shared address, told as it would be at an address of its own.
        assert not [told for told in opened.values() if f"/{name}/" in told]
        received = {frame.connection for frame in frames if frame.kind == "received"}
        assert received == set(opened)
    usdm = {frame.address for frame in read_frames(files["binance"]) if "usdm" in frame.connection}
    assert {address.rpartition(":")[2].partition("/")[2] for address in usdm} >= {
        "public/stream",
        "market/stream",
    }


async def test_a_recording_without_any_venue_fails_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(VenueError):
        await record_frames(tmp_path, Order((), 1.0, NOWHERE, ("bybit", "kraken")), as_json=True)
