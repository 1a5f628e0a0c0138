from __future__ import annotations

import pytest

from sextant.market.ready import make_ready


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Everything compiled, so that no test waits for it within its own time."""
    make_ready()
