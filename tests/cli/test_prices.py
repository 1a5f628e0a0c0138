"""``sextant prices`` as a user types it, against the simulated sources in a process of their own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sextant.cli import exits
from sextant.cli.simulating import simulated
from sextant.kit.clock import ManualClock
from sextant.sim import coincap, coingecko
from support.commands import run

NOW = ManualClock(1_790_000_010_000_000_000)
SCENE: Any = {"seed": 7, "instruments": 24}


async def test_prices_are_told_with_source_time_and_age_and_what_is_absent_with_its_reason(
    tmp_path: Path,
) -> None:
    keys = {
        "SEXTANT_COINGECKO_DEMO_KEY": coingecko.made(NOW, SCENE).demo_key,
        "SEXTANT_COINCAP_KEY": coincap.made(NOW, SCENE).key,
    }
    async with simulated(7, 24) as addresses:

        async def ask(*words: str, **environ: str) -> Any:
            return await asyncio.to_thread(
                run, "prices", *words, "--url", addresses.rest, folder=tmp_path, **environ
            )

        done = await ask("btc", "ETH", "NOSUCH", "--json", **keys)
        assert done.returncode == 0
        told = json.loads(done.stdout)
        assert [(row["asset"], row["source"]) for row in told["prices"]] == [
            ("BTC", "coingecko"),
            ("ETH", "coingecko"),
        ]
        assert all(float(row["price_usd"]) > 0 and 0 <= row["age_s"] < 70 for row in told["prices"])
        assert [(row["asset"], row["reason"]) for row in told["absent"]] == [("NOSUCH", "unknown_asset")]
        assert [(row["source"], row["plan"], row["state"]) for row in told["sources"]] == [
            ("coingecko", "demo", "healthy"),
            ("coincap", "v3", "healthy"),
        ]
        assert not any(key in done.stdout + done.stderr for key in keys.values())

        order = {"SEXTANT_PRICE_SOURCES": "coincap2,coincap"}
        done = await ask("BTC", "--json", **order, **keys)
        told = json.loads(done.stdout)
        assert [row["source"] for row in told["prices"]] == ["coincap"]
        assert told["sources"][-1]["state"] == "retired"

        done = await ask("NOSUCH")
        assert done.returncode == exits.DATA
        assert "unknown_asset" in done.stdout
        assert "needs_key" in done.stdout


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    done = run("prices", "BTC!", folder=tmp_path)
    assert (done.returncode, "BTC!" in done.stderr) == (exits.INPUT, True)
    done = run("prices", "BTC", folder=tmp_path, SEXTANT_PRICE_SOURCES="oracle")
    assert (done.returncode, "oracle" in done.stderr) == (exits.CONFIG, True)
