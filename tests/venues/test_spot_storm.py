"""Random faults by seed at simulated Kraken and Coinbase: never a crossed book, no limit broken, and whole again after.

``STORM_SEEDS=100`` runs as many; the short run is part of every test.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

from support.spot_stage import BASES, Heard, coinbase, kraken

SEEDS = int(os.environ.get("STORM_SEEDS", "2"))
FAULTS = 15
STORM_S = 90
HEALED_S = 60
KINDS = (
    "gap", "duplicate", "swap", "snapshot", "restart", "crossed", "frozen", "fragments", "broken_text", "raw", "binary",
    "drift", "reset", "close", "silence",
)  # fmt: skip
TOPICS = {
    "kraken": ("book-25:{}/USD", "book-25:{}/USD", "trade:{}/USD", "ticker:{}/USD", "ohlc-1:{}/USD"),
    "coinbase": ("level2:{}-USD", "level2:{}-USD", "market_trades:{}-USD", "ticker:{}-USD", "candles:{}-USD"),
}
FIELDS = {
    "kraken": ("data", "data.0.symbol", "type", "channel"),
    "coinbase": ("events", "channel", "events.0.type", "sequence_num", "timestamp"),
}
JUNK = (
    "{not json",
    "[]",
    "null",
    '{"channel":"x"}',
    '{"a":' * 500,
    '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD"}]}',
    '{"channel":"l2_data","timestamp":"2026-09-21T14:13:30Z","sequence_num":5,"events":[]}',
)


def script(name: str, seed: int) -> list[dict[str, Any]]:
    """Faults at random pushes of random topics."""
    chance = random.Random(seed)  # noqa: S311  # seeded, not secret
    found = []
    for _ in range(FAULTS):
        topic = chance.choice(TOPICS[name]).format(chance.choice(BASES))
        line: dict[str, Any] = {
            "seed": chance.randrange(10**6),
            "at": {"topic": topic, "message": chance.randrange(3, 80)},
            "fault": chance.choice(KINDS),
        }
        details: dict[str, dict[str, Any]] = {
            "silence": {"seconds": chance.randrange(1, 40)},
            "raw": {"text": chance.choice(JUNK)},
            "binary": {"hex": "fffe00"},
            "swap": {"messages": chance.randrange(1, 4)},
            "drift": {"field": chance.choice(FIELDS[name])},
        }
        line |= details.get(line["fault"], {})
        if line["fault"] == "drift" and chance.random() < 0.5:
            line["value"] = chance.choice((None, "x", -1, [], {}))
        found.append(line)
    return found


def crossed(heard: Heard, base: str) -> bool:
    book = heard.state.book(heard.instrument(base), 1)
    return book.valid and book.bids[0][0] >= book.asks[0][0]


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
@pytest.mark.parametrize(("name", "stage"), [("kraken", kraken), ("coinbase", coinbase)])
async def test_after_a_storm_of_faults_every_book_is_true_again(name: str, stage: Any, seed: int) -> None:
    async with stage(*script(name, seed)) as heard:
        await heard.until(heard.valid)
        for _ in range(STORM_S * 2):
            heard.clock.advance(0.5)
            for _ in range(15):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005)
            assert not any(crossed(heard, base) for base in BASES)
        await heard.until(
            lambda: heard.valid() and all(heard.true(base) for base in BASES), most=HEALED_S * 4
        )
        assert len(heard.venue.plan.history) >= FAULTS // 2
        assert (heard.venue.counters.limited, heard.venue.counters.forbidden) == (0, 0)
        assert heard.venue.counters.connections <= FAULTS + 1
