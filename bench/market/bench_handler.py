"""How long a frame waits for its handler while 5,000 come a second, quietly and while whole scans run beside it.

A process of its own sends the frames of 200 instruments on an even beat; the feed is a socket, a parser and a market state in
one process, as in `sextant serve`. ``wait`` is from the moment a frame was due to be sent until its state is known,
``handler`` the time that reading and applying what arrived together takes; both on the wall clock, so other work on the machine counts.
Scans run one after another in a second thread over another market of 1,000 instruments.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import picows
import uvloop

from harness import tell
from market.bench_w1 import generated
from scans.bench_w3 import made_view
from sextant.cli.looping import SWITCH_S
from sextant.kit.clock import Deadline, SystemClock
from sextant.kit.websocket import connect
from sextant.market.ingest import learn
from sextant.market.ready import make_ready
from sextant.market.state import MarketState
from sextant.model.account import Account
from sextant.model.event_block import Events
from sextant.scans.offline import Question, scan
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from sextant.venues.arrivals import Arrivals, BlockTaker
from sextant.venues.library.bybit.frames import parse_frame
from sextant.venues.library.bybit.messages import read_block
from sextant.venues.port import Listing, SymbolTable

PER_S = 5_000
SECONDS = 20.0
BEAT = 10  # frames a beat of two milliseconds
FRAMES = int(PER_S * SECONDS)


class Sender(picows.WSListener):
    """Sends on an even beat once it is spoken to, and says when it began."""

    def __init__(self, frames: list[bytes], pipe: Pipe) -> None:
        self.frames, self.pipe = frames, pipe

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            self.sending = asyncio.ensure_future(self.send(transport))

    async def send(self, transport: picows.WSTransport) -> None:
        begun = time.monotonic() + 0.1
        self.pipe.send(begun)
        for first in range(0, len(self.frames), BEAT):
            await asyncio.sleep(max(0.0, begun + first / PER_S - time.monotonic()))
            for frame in self.frames[first : first + BEAT]:
                transport.send(picows.WSMsgType.TEXT, frame)


def serve(pipe: Pipe) -> None:
    """The venue, in a process of its own, until it is killed."""
    _, frames, snapshots = generated(FRAMES)
    texts = snapshots + [data for _, data in frames]

    async def run() -> None:
        server = await picows.ws_create_server(lambda _: Sender(texts, pipe), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def heard(port: int, count: int) -> tuple[list[float], list[float]]:
    """When each frame was done, and how long the handler of each batch took; seconds."""
    truths, _, __ = generated(0)
    table = SymbolTable(Listing("linear", truth.symbol, truth.market.listed().spec) for truth in truths)
    state = MarketState("live", simulated=True)
    for truth in truths:
        state.apply(truth.market.listed())
    done: list[float] = []
    took: list[float] = []
    ended = asyncio.Event()

    def alone(receive_ns: int, message: bytes) -> None:
        learn(state, parse_frame("linear", message, receive_ns, table))

    def emit(events: Events) -> None:
        learn(state, events)

    taker = BlockTaker(read_block, ("linear", table), emit, alone)

    def take(messages: list[bytes], receive_ns: list[int]) -> None:
        begun = time.monotonic()
        taker.take(messages, receive_ns)
        now = time.monotonic()
        took.append(now - begun)
        done.extend([now] * len(messages))
        if len(done) == count:
            ended.set()

    make_ready()
    clock, arrivals = SystemClock(), Arrivals(take)
    link = await connect(f"ws://127.0.0.1:{port}/", arrivals.add, clock, Deadline(clock, 10))
    taking = asyncio.ensure_future(arrivals.run())
    link.send(b"go")
    await ended.wait()
    taking.cancel()
    link.abort()
    assert state.counters["book_gaps"] == 0
    return done, took


def scanning(stop: threading.Event, counted: list[int]) -> None:
    """Whole scans of one view after another."""
    view = made_view()
    question = Question(ScanRequest(), Account(equity_usd=50_000.0), strategies(), "bench")
    shelf = EvidenceShelf()
    while not stop.is_set():
        scan(MarketPart(view, CostAssumptions(), shelf), question)
        counted[0] += 1


def quantile_ms(values: list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))] * 1e3


def measured(*, busy: bool) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    child = context.Process(target=serve, args=(theirs,), daemon=True)
    child.start()
    stop, counted = threading.Event(), [0]
    thread = threading.Thread(target=scanning, args=(stop, counted))
    try:
        port = mine.recv()
        if busy:
            thread.start()
        count = FRAMES + 2 * 200
        done, took = uvloop.run(heard(port, count))
        begun = mine.recv()
    finally:
        child.kill()
        stop.set()
        if busy:
            thread.join()
    waits = [at - begun - number // BEAT * BEAT / PER_S for number, at in enumerate(done)]
    name = "busy" if busy else "quiet"
    return {
        f"{name}_wait_p50_ms": quantile_ms(waits, 0.5),
        f"{name}_wait_p99_ms": quantile_ms(waits, 0.99),
        f"{name}_handler_p99_ms": quantile_ms(took, 0.99),
        f"{name}_scans": float(counted[0]),
    }


def main() -> None:
    sys.setswitchinterval(SWITCH_S)  # as the server does
    tell("market.handler", {"frames_per_s": float(PER_S), **measured(busy=False), **measured(busy=True)})


if __name__ == "__main__":
    main()
