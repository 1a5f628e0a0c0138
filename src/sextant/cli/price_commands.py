"""``sextant prices`` and its options."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter


def prices(
    assets: list[str],
    /,
    *,
    url: str | None = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say what assets are worth in dollars: by which source, as of when, and how old that is.

    Example: sextant prices BTC ETH

    Parameters
    ----------
    assets
        Assets by their short names.
    url
        Address of the simulated venues, as they print it; the real sources when absent.
    json
        Prices, absent assets and sources as one JSON object on standard output.
    """
    from sextant.cli.pricing import tell_prices

    asyncio.run(tell_prices(assets, url, as_json=json))
