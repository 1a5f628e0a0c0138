"""W1: raw Bybit frames of 200 instruments, from bytes to correct books, trades, taker volume, facts and bars.

Rates are per second of processor time of one core, so that neighbours on the machine do not count. The floor is
one typed decoding of the same bytes with nothing applied. The handlers of cryptofeed and ccxt.pro read the same frames in
turns with ours, where ``make peers`` has installed them. The first argument is the number of frames.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec

from harness import peer, tell
from sextant.market.ingest import learn
from sextant.market.state import MarketState
from sextant.model.event_block import Events
from sextant.model.events import Level
from sextant.model.times import MILLISECOND_NS, MINUTE_NS
from sextant.venues.arrivals import BlockTaker
from sextant.venues.library.bybit.frames import parse_frame
from sextant.venues.library.bybit.messages import read_block
from sextant.venues.port import Listing, SymbolTable
from walk import START_NS, WalkingBook

FRAMES = 1_000_000
INSTRUMENTS = 200
SPAN_MS = 400_000
RUNS = 5
START_MS = START_NS // MILLISECOND_NS
READ_BYTES = 65_536
PEERS = ("cryptofeed", "ccxt")
PEER_FRAMES = 100_000  # of each run of a peer: they take the longest


class Truth:
    """One instrument's frames as Bybit words them, and what must be known after all of them."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.market = WalkingBook(number, chance)
        self.chance = chance
        self.symbol = f"{self.market.instrument.base}USDT"
        self.trades = 0
        self.last_price = 0.0
        self.takers: dict[int, list[float]] = {}
        self.mark = 0.0
        self.minute: dict[str, Any] | None = None
        self.closed = 0

    def _frame(self, topic: str, kind: str, now_ms: int, data: object) -> bytes:
        message = {"topic": topic, "type": kind, "ts": now_ms, "data": data}
        return json.dumps(message, separators=(",", ":")).encode()

    def snapshots(self) -> tuple[bytes, bytes]:
        """What the venue sends first: the whole book and all facts."""
        bids, asks = self.market.shown()
        return self._book("snapshot", START_MS, 1, bids, asks), self.facts(START_MS, "snapshot")

    def _book(self, kind: str, now_ms: int, update: int, bids: list[Level], asks: list[Level]) -> bytes:
        sides = {
            name: [[f"{price:.2f}", f"{size:.3f}" if size else "0"] for price, size in side]
            for name, side in (("b", bids), ("a", asks))
        }
        message = {
            "topic": f"orderbook.50.{self.symbol}",
            "type": kind,
            "ts": now_ms,
            "data": {"s": self.symbol, **sides, "u": update, "seq": 7_961_638_724 + update},
            "cts": now_ms,
        }
        return json.dumps(message, separators=(",", ":")).encode()

    def delta(self, now_ms: int) -> bytes:
        change = self.market.delta(now_ms * MILLISECOND_NS)
        for book, side in ((self.market.bids, change.bids), (self.market.asks, change.asks)):
            for price, size in side:
                ticks = round(price * 10)
                if ticks in book:
                    book[ticks] = round(size, 3)
        return self._book("delta", now_ms, change.sequence, change.bids, change.asks)

    def trade(self, now_ms: int) -> bytes:
        rows = []
        for _ in range(1 + (self.chance.random() < 0.3)):
            buy = self.chance.random() < 0.5
            self.last_price = (self.market.middle + (1 if buy else -1)) / 10
            self.trades += 1
            self.takers.setdefault(now_ms // 60_000, [0.0, 0.0])[not buy] += 0.5
            name = f"{self.chance.getrandbits(128):032x}"
            rows.append(
                {
                    "T": now_ms,
                    "s": self.symbol,
                    "S": "Buy" if buy else "Sell",
                    "v": "0.500",
                    "p": f"{self.last_price:.2f}",
                    "L": "PlusTick",
                    "i": f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}",
                    "BT": False,
                    "RPI": False,
                    "seq": 7_961_638_724 + self.trades,
                }
            )
        return self._frame(f"publicTrade.{self.symbol}", "snapshot", now_ms, rows)

    def facts(self, now_ms: int, kind: str = "delta") -> bytes:
        self.mark = self.market.middle / 10
        data = {
            "symbol": self.symbol,
            "markPrice": f"{self.mark:.2f}",
            "indexPrice": f"{self.mark:.2f}",
            "openInterestValue": "1234567890.12",
            "bid1Price": f"{(self.market.middle - 1) / 10:.2f}",
            "bid1Size": "1.234",
            "ask1Price": f"{(self.market.middle + 1) / 10:.2f}",
            "ask1Size": "2.345",
        }
        return self._frame(f"tickers.{self.symbol}", kind, now_ms, data)

    def bar(self, now_ms: int) -> bytes:
        start = now_ms // 60_000 * 60_000
        price = f"{self.market.middle / 10:.2f}"
        final = self.minute is not None and self.minute["start"] < start
        if self.minute is None or final:
            self.closed += final
            closing, self.minute = (
                self.minute,
                {
                    "start": start,
                    "end": start + 59_999,
                    "interval": "1",
                    **dict.fromkeys(("open", "close", "high", "low"), price),
                    "volume": "12.5",
                    "turnover": "250000.25",
                    "confirm": False,
                    "timestamp": now_ms,
                },
            )
            row = self.minute if closing is None else {**closing, "confirm": True}
        else:
            row = self.minute
        return self._frame(f"kline.1.{self.symbol}", "snapshot", now_ms, [row])

    def liquidation(self, now_ms: int) -> bytes:
        row = {"T": now_ms, "s": self.symbol, "S": "Buy", "v": "0.2", "p": f"{self.market.middle / 10:.2f}"}
        return self._frame(f"allLiquidation.{self.symbol}", "snapshot", now_ms, [row])

    def check(self, state: MarketState) -> None:
        """Everything the frames told is known, and nothing else."""
        desk = state.desk(self.market.instrument)
        bids, asks = self.market.shown()
        book = state.book(self.market.instrument)
        assert book.valid
        assert (list(book.bids), list(book.asks)) == (bids, asks)
        if self.trades:
            last = desk.flow.last()
            assert last is not None
            assert last[0] == self.last_price
        for row in desk.flow.minutes():
            assert [row.buy, row.sell] == self.takers[row.open_ns // MINUTE_NS]
        assert not self.mark or desk.facts.value("mark") == self.mark
        frame = state.bars(self.market.instrument, "1m", 10_000)
        assert (0 if frame is None else int((frame.close > 0).sum())) == self.closed


def generated(count: int) -> tuple[list[Truth], list[tuple[str, bytes]], list[bytes]]:
    """The instruments, their frames with the kind of each, and the snapshots before them."""
    chance = random.Random(11)  # noqa: S311  # a fixed seed, nothing secret
    truths = [Truth(number, chance) for number in range(INSTRUMENTS)]
    snapshots = [data for truth in truths for data in truth.snapshots()]
    frames: list[tuple[str, bytes]] = []
    for number in range(count):
        truth, now_ms, share = (
            chance.choice(truths),
            START_MS + 1 + number * SPAN_MS // count,
            chance.random(),
        )
        if share < 0.6:
            frames.append(("book", truth.delta(now_ms)))
        elif share < 0.8:
            frames.append(("trades", truth.trade(now_ms)))
        elif share < 0.95:
            frames.append(("facts", truth.facts(now_ms)))
        elif share < 0.98:
            frames.append(("bars", truth.bar(now_ms)))
        else:
            frames.append(("liquidations", truth.liquidation(now_ms)))
    return truths, frames, snapshots


class _BookData(msgspec.Struct, gc=False):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    u: int


class _Book(msgspec.Struct, gc=False):
    topic: str
    type: str
    ts: int
    data: _BookData


class _TradeRow(msgspec.Struct, gc=False):
    T: int
    S: str
    v: float
    p: float
    i: str


class _Trades(msgspec.Struct, gc=False):
    topic: str
    data: list[_TradeRow]


class _Other(msgspec.Struct, gc=False):
    topic: str
    ts: int
    data: dict[str, str] | list[dict[str, str | bool | int]]


def floor(frames: list[tuple[str, bytes]]) -> Callable[[], None]:
    """Decode every frame once into a typed value, its kind known beforehand."""
    decoders: dict[str, Callable[[bytes], Any]] = {
        "book": msgspec.json.Decoder(_Book, strict=False).decode,
        "trades": msgspec.json.Decoder(_Trades, strict=False).decode,
    }
    other = msgspec.json.Decoder(_Other).decode
    work = [(decoders.get(kind, other), data) for kind, data in frames]

    def run() -> None:
        for decode, data in work:
            decode(data)

    return run


def _as_file(truths: list[Truth], frames: list[bytes], folder: str) -> Path:
    """The names of the instruments and the frames, a line each, as the peers read them."""
    path = Path(folder) / "frames"
    path.write_bytes(b"\n".join([json.dumps([truth.symbol for truth in truths]).encode(), *frames]))
    return path


def _peer_rate(name: str, path: Path, truth: Truth) -> float | None:
    """Frames a processor second of a peer; None where it is not installed. Its book must have been right."""
    told = peer(f"w1_{name}.py", path)
    if told is None:
        return None
    assert all(abs(best * 10 - round(best * 10)) < 1e-6 for best in told["best"]), told
    assert told["best"][0] < told["best"][1], (name, truth.symbol, told)
    return float(told["frames"]) / float(told["cpu_s"])


def _cpu_s(work: Callable[[], None]) -> float:
    gc.collect()
    begun = time.process_time_ns()
    work()
    return (time.process_time_ns() - begun) / 1e9


def read_together(frames: list[tuple[str, bytes]]) -> list[list[bytes]]:
    """The frames in the batches in which a loaded socket gives them: as many as fit into one read."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for _, data in frames:
        size += len(data)
        if size > READ_BYTES:
            batches.append([])
            size = len(data)
        batches[-1].append(data)
    return batches


def learnt(state: MarketState, table: SymbolTable, batches: list[list[bytes]]) -> None:
    """Bring batches to the state as a connection does."""

    def alone(receive_ns: int, data: bytes) -> None:
        learn(state, parse_frame("linear", data, receive_ns, table))

    def emit(events: Events) -> None:
        learn(state, events)

    taker = BlockTaker(read_block, ("linear", table), emit, alone)
    for batch in batches:
        taker.take(batch, [START_NS] * len(batch))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    truths, frames, snapshots = generated(count)
    table = SymbolTable(Listing("linear", truth.symbol, truth.market.listed().spec) for truth in truths)
    decode = floor(frames)
    batches = read_together(frames)
    applied, decoded = [], []
    rates: dict[str, list[float | None]] = {name: [] for name in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        path = _as_file(truths, snapshots + [data for _, data in frames[:PEER_FRAMES]], folder)
        for _ in range(RUNS):
            state = MarketState("demo", simulated=True)
            for truth in truths:
                state.apply(truth.market.listed())
            for data in snapshots:
                for event in parse_frame("linear", data, START_NS, table):
                    state.apply(event)

            applied.append(_cpu_s(partial(learnt, state, table, batches)))
            decoded.append(_cpu_s(decode))
            for name in PEERS:
                rates[name].append(_peer_rate(name, path, truths[0]))
            for truth in truths:
                truth.check(state)
    ratios = [floor_s / spent for floor_s, spent in zip(decoded, applied, strict=True)]
    tell(
        "market.w1",
        {
            "frames": float(count),
            "mean_bytes": statistics.fmean(len(data) for _, data in frames),
            "frames_per_cpu_s": count / statistics.median(applied),
            "frames_per_cpu_s_slowest": count / max(applied),
            "floor_frames_per_cpu_s": count / statistics.median(decoded),
            "share_of_typed_floor": statistics.median(ratios),
            "runs": float(RUNS),
            **{f"{name}_frames_per_cpu_s": _median(rates[name]) for name in PEERS},
            **{f"times_{name}": _times(count, applied, rates[name]) for name in PEERS},
        },
    )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _times(count: int, applied: list[float], rates: list[float | None]) -> float | None:
    """How many times as fast as a peer, run by run."""
    return _median(
        [None if rate is None else count / spent / rate for spent, rate in zip(applied, rates, strict=True)]
    )


if __name__ == "__main__":
    main()
