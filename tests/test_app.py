from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import sqlalchemy as sa

from sextant.app import assemble, listen
from sextant.config import load
from sextant.errors import ConfigError
from sextant.kit.clock import SystemClock


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on"):
            listen("127.0.0.1", port)


def test_a_free_port_is_found() -> None:
    bound = listen("127.0.0.1", 0)
    try:
        assert bound.getsockname()[1] > 0
    finally:
        bound.close()


async def test_a_server_is_assembled_with_its_schema_and_closed(tmp_path: Path) -> None:
    config = load({"SEXTANT_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})
    async with assemble(config, SystemClock(), "live", "test", simulated=False) as server:
        async with server.db.connect() as connection:
            tables = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        assert {"scans", "users", "sessions", "opportunities"} <= set(tables)
        assert server.rooms.origin().feed == "live"
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


async def test_two_servers_may_start_on_one_folder(tmp_path: Path) -> None:
    config = load({"SEXTANT_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})

    async def once() -> str:
        async with assemble(config, SystemClock(), "live", "test", simulated=False) as server:
            return server.rooms.key.kid

    first, second = await asyncio.gather(once(), once())
    assert first == second
