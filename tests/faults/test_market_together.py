"""Half an hour of random faults at all simulated venues at once, in virtual time, into one market.

`make faults` runs whole half hours of several seeds; by default one seed has half a minute.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from support.everywhere import AWAY_S, BOOKS, FEEDS, Everywhere, Found, everywhere
from support.listening import STEP_S

SEEDS: Final = int(os.environ.get("TOGETHER_SEEDS", "1"))
MINUTES: Final = float(os.environ.get("TOGETHER_MINUTES", "0.5"))
EVERY_S: Final = 8.0  # on average between two faults of one venue
SETTLED_S: Final = 300.0  # kernels may be compiled meanwhile, and virtual time does not wait for them
WHOLE_S: Final = 1_300.0  # a ban of Kraken lasts fifteen minutes
HEALED_S: Final = 3.0  # reconnect to valid book, 95 of 100
PRICES_S: Final = 30.0

Line = Mapping[str, Any]
Kinds = Sequence[tuple[str, Mapping[str, Any]]]

TOPICS_OF_BOOKS: Final[Mapping[str, Sequence[str]]] = {
    "bybit": ("orderbook.50.BTCUSDT", "orderbook.50.ETHUSDT"),
    "binance": ("btcusdt@depth@100ms", "ethusdt@depth@100ms"),
    "kraken": ("book-25:BTC/USD", "book-25:ETH/USD"),
    "kucoin": ("/market/level2:BTC-USDT", "/market/level2:ETH-USDT"),
    "coinbase": ("level2:BTC-USD", "level2:ETH-USD"),
    "deribit": ("book.BTC-PERPETUAL.100ms", "book.ETH-PERPETUAL.100ms"),
}
OTHERS: Final[Mapping[str, Sequence[str]]] = {
    "bybit": ("publicTrade.BTCUSDT", "tickers.BTCUSDT", "kline.1.BTCUSDT"),
    "binance": ("btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@kline_1m"),
    "kraken": ("trade:BTC/USD", "ticker:BTC/USD", "ohlc-1:BTC/USD"),
    "kucoin": ("/market/match:BTC-USDT", "/market/ticker:BTC-USDT", "/market/candles:BTC-USDT_1min"),
    "coinbase": ("market_trades:BTC-USD", "ticker:BTC-USD", "candles:BTC-USD"),
    "deribit": ("trades.BTC-PERPETUAL.100ms", "ticker.BTC-PERPETUAL.100ms"),
}
OF_BOOKS: Final[Kinds] = (
    ("gap", {}),
    ("duplicate", {}),
    ("swap", {"messages": 2}),
    ("snapshot", {}),
    ("restart", {}),
    ("crossed", {}),
    ("frozen", {}),
)
OF_PUSHES: Final[Kinds] = (
    ("gap", {}),
    ("duplicate", {}),
    ("swap", {"messages": 2}),
    ("raw", {"text": "[", "repeat": 5_000}),
    ("raw", {"text": '{"topic":"news"}'}),
    ("broken_text", {}),
    ("binary", {"hex": "ff00"}),
    ("fragments", {}),
    ("reset", {}),
    ("close", {"code": 1012}),
)
OF_CONNECTIONS: Final[Kinds] = (
    ("reset", {}),
    ("close", {"code": 1001}),
    ("close", {"code": 1006}),
    ("silence", {"seconds": 3_600}),
    ("away", {"seconds": AWAY_S}),
)
OF_CALLS: Final[Kinds] = (
    ("reset", {}),
    ("truncated", {}),
    ("status", {"status": 502}),
    ("html", {"status": 200}),
    ("html", {"status": 503}),
)
SILENCING: Final[Kinds] = (("limited", {"retry_after": 20}), ("banned", {}))
"""In scripts of odd seeds only: while a venue wants silence nothing can heal."""
BANNING: Final = frozenset(FEEDS) - {"deribit"}
"""Who shuts an address out; Deribit refuses a call at a time."""


def script(seed: int, name: str, minutes: float) -> list[Line]:
    """Faults of one venue at random places and moments, one in :data:`EVERY_S` on average."""
    dice = random.Random(f"{seed} {name}")  # noqa: S311  # a repeatable script, no secret
    silencing = SILENCING if name in BANNING else SILENCING[:1]
    called = (*OF_CALLS, *(silencing if seed % 2 else ()))
    lines: list[Line] = []
    for number in range(round(minutes * 60 / EVERY_S)):
        place: dict[str, Any] = {"after_s": round(15 + dice.uniform(0, minutes * 60 - 15), 3)}
        share = dice.random()
        if share < 0.45:
            place["topic"], (kind, details) = dice.choice(TOPICS_OF_BOOKS[name]), dice.choice(OF_BOOKS)
        elif share < 0.75:
            topics = (*TOPICS_OF_BOOKS[name], *OTHERS[name])
            place["topic"], (kind, details) = dice.choice(topics), dice.choice(OF_PUSHES)
        elif share < 0.9:
            kind, details = dice.choice(OF_CONNECTIONS)
        else:
            place["path"], (kind, details) = "*", dice.choice(called)
        lines.append({"seed": number, "at": place, "fault": kind, **details})
    return lines


def price_script(seed: int, name: str, minutes: float) -> list[Line]:
    """Faults of a source of prices: of every third call."""
    dice = random.Random(f"{seed} {name}")  # noqa: S311  # a repeatable script, no secret
    return [
        {"seed": number, "at": {"call": number}, "fault": kind, **details}
        for number in range(2, 2 + round(minutes * 4), 3)
        for kind, details in (dice.choice((*OF_CALLS, *SILENCING[:1])),)
    ]


def scripts(seed: int, minutes: float) -> dict[str, list[Line]]:
    """Every venue's own."""
    found = {name: script(seed, name, minutes) for name in FEEDS}
    return found | {name: price_script(seed, name, minutes) for name in ("coingecko", "coincap")}


def share(waits: Sequence[float], part: float) -> float:
    """What that part of the waits does not exceed; 0 where there are none."""
    return waits[int(part * (len(waits) - 1))] if waits else 0.0


def told(seed: int, stage: Everywhere, found: Found) -> str:
    """The figures of a run."""
    struck = {name: len(stage.history(name)) for name in FEEDS}
    bans = {name: stage.counters(name).bans for name in FEEDS if stage.counters(name).bans}
    late = {name: stage.counters(name).after_ban for name in bans}
    handled = sorted(found.handler_s)
    ours = [each for each in found.breaks if each.kind == "ours"]
    worst = sorted(ours, key=lambda each: each.wait_s)[-5:]
    healed = [f"{name}: {_spread(found.healed('ours', name))}" for name in FEEDS]
    return (
        f"seed {seed}, {MINUTES:g} min: faults {struck}; books compared {found.compared}, {found.silent_s:g} s silent;\n"
        f"  breaks healed: {_spread(found.healed('ours'))}; of these {'; '.join(healed)};\n"
        f"  the longest {[(str(each.instrument), each.reason, each.wait_s) for each in worst]};\n"
        f"  after the venue was back: {_spread(found.healed('away'))}; while it wanted silence: {_spread(found.healed('silence'))};\n"
        f"  bans {bans}, calls that learnt of them {late}, begun in known silence {sum(found.in_silence.values())};\n"
        f"  {len(handled)} calls of the handler, 99 of 100 within {share(handled, 0.99) * 1e3:.2f} ms, "
        f"the longest {share(handled, 1.0) * 1e3:.2f} ms; prices {found.prices}\n"
    )


def _spread(waits: Sequence[float]) -> str:
    return f"{len(waits)}, {share(waits, 0.5):.2f} s (median), {share(waits, 0.95):.2f} s (95 of 100), {share(waits, 1.0):.2f} s (worst)"


@pytest.mark.timeout(0 if MINUTES > 2 else 120)
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_befalls_them_all_no_book_is_false_and_no_silence_is_broken(
    seed: int, tmp_path: Path
) -> None:
    async with everywhere(scripts(seed, MINUTES), tmp_path, seed) as stage:
        passed = 0.0
        while not stage.valid():
            assert passed < SETTLED_S, [str(name) for name in stage.invalid()]
            await stage.step()
            passed += STEP_S
        for step in range(round(MINUTES * 60 / STEP_S)):
            if step % round(PRICES_S / STEP_S) == 0:
                stage.ask_prices()
            await stage.step()
            stage.compare()
        passed = 0.0
        while not stage.valid():
            assert passed < WHOLE_S, [str(name) for name in stage.invalid()]
            await stage.step()
            passed += STEP_S
        stage.compare()
        found = stage.found
        figures = told(seed, stage, found)
        sys.stderr.write(figures)
        for name in FEEDS:
            counters = stage.counters(name)
            assert len(stage.history(name)) >= len(script(seed, name, MINUTES)) / 2, name
            assert found.compared[name] > 0, name
            assert (counters.forbidden, counters.slow_clients) == (0, 0), name
            # What was under way when a wait or a ban was told still arrives, at most a call for each book; nobody
            # calls after that, which `in_silence` holds.
            under_way = sum(book.venue == name for book in BOOKS)
            waits = sum(kind == "limited" for _, kind in stage.history(name))
            assert counters.after_retry_after <= waits * under_way, name
            assert counters.after_ban <= counters.bans * under_way, name
        assert sum(found.in_silence.values()) == 0, found.in_silence
        assert found.breaks
        assert found.prices.get("all", 0) > 0
        assert share(found.healed("ours"), 0.95) <= HEALED_S or MINUTES < 2, figures
