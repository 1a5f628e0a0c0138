"""``sextant prices``: what assets are worth in dollars, who says so, and how old that is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sextant.cli.settings import configuration
from sextant.errors import InputError, Insufficient
from sextant.kit import log
from sextant.kit.clock import Deadline, SystemClock
from sextant.model.times import iso_ms
from sextant.venues.catalog import price_sources
from sextant.venues.reference import PriceSource, Told
from sextant.venues.reference_desk import SourceState, chosen, opened

ASK_S: Final = 20.0


async def tell_prices(assets: Sequence[str], url: str | None, *, as_json: bool) -> None:
    """Print the prices of assets, those that have none with the reason, and the state of every source.

    Raises
    ------
    InputError
        If an asset is none, or the address is none.
    ConfigError
        If a source of prices is not known.
    Insufficient
        If no asset has a price; the reasons are printed.
    """
    if url is not None and not url.startswith(("http://", "https://")):
        raise InputError(f"--url '{url}' is not an http:// or https:// address.")
    log.configure("text" if sys.stderr.isatty() else "json")
    config, clock = configuration(), SystemClock()
    sources = chosen(config.price_sources, price_sources())
    if url is not None:
        sources = [moved(source, url.rstrip("/")) for source in sources]
    async with opened(sources, config.price_keys, clock, config.data_dir) as desk:
        told = await desk.prices(assets, Deadline(clock, ASK_S))
        states = desk.states()
    shown = _rows(told, states, clock.now_ns())
    if as_json:
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
    else:
        _print(shown)
    if not told.prices:
        raise Insufficient("No asset has a price; the reasons are above.", reason="unpriced_asset")


def moved(source: PriceSource, url: str) -> PriceSource:
    """The source at the address of the simulated venues, which have a paid host below the public one."""
    tiers = (
        replace(tier, url=f"{url}/{source.name}" + ("/pro" if tier.name == "pro" else ""))
        for tier in source.tiers
    )
    return replace(source, tiers=tuple(tiers))


def _rows(told: Told, states: Sequence[SourceState], now_ns: int) -> dict[str, list[dict[str, Any]]]:
    return {
        "prices": [
            {
                "asset": price.asset,
                "price_usd": str(price.usd),
                "source": price.source,
                "as_of": iso_ms(price.as_of_ns),
                "age_s": round(price.age_s(now_ns), 1),
            }
            for price in told.prices
        ],
        "absent": [
            {"asset": each.asset, "reason": each.reason, "detail": each.detail} for each in told.absent
        ],
        "sources": [
            {
                "source": each.name,
                "plan": each.tier or None,
                "state": each.state.status,
                "reason": each.state.reason or None,
                "retry_after_s": each.state.retry_after_s,
            }
            for each in states
        ],
    }


def _print(shown: dict[str, list[dict[str, Any]]]) -> None:
    console = Console()
    for name, rows in shown.items():
        if rows:
            table = Table(title=name, header_style="bold", box=SIMPLE_HEAD, title_justify="left")
            for column in rows[0]:
                table.add_column(column, overflow="fold")
            for row in rows:
                table.add_row(*("-" if value is None else str(value) for value in row.values()))
            console.print(table)
