"""From recorded bytes to model events: alone, against the floor of one typed decoding, and over a loopback socket."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import msgspec
import picows

from harness import data_dir, tell
from sextant.kit.clock import SystemClock
from sextant.kit.ids import new_fraction
from sextant.model.event_block import Events
from sextant.model.events import Stream
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.bybit.messages import read_block
from sextant.venues.link import Outlet, Subscription
from sextant.venues.port import SymbolTable
from sextant.venues.session import Session, runtime
from support.recordings import read_session

BENCH = "venues.frames"
ROUNDS = 100  # of the recorded linear frames, over the socket
BATCH = 50  # frames handed to the socket between two turns of the sending loop
Frames = list[tuple[str, bytes, int]]


class _BookData(msgspec.Struct, gc=False):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    u: int


class _Book(msgspec.Struct, gc=False):
    topic: str
    type: str
    ts: int
    data: _BookData
    cts: int = 0


class _TradeData(msgspec.Struct, gc=False):
    T: int
    S: str
    v: float
    p: float
    i: str
    BT: bool


class _Trades(msgspec.Struct, gc=False):
    topic: str
    data: list[_TradeData]


class _Other(msgspec.Struct, gc=False):
    topic: str = ""
    ts: int = 0
    data: dict[str, str] | list[dict[str, str | bool | int]] | None = None


def floor(frames: Frames) -> Callable[[], None]:
    """Decode every frame once into a typed value, its kind known beforehand and nothing checked."""
    decoders: dict[str, msgspec.json.Decoder[Any]] = {
        "orderbook": msgspec.json.Decoder(_Book, strict=False),
        "publicTrade": msgspec.json.Decoder(_Trades, strict=False),
    }
    other = msgspec.json.Decoder(_Other)
    work: list[tuple[Callable[[bytes], object], bytes]] = []
    for _, frame, _ in frames:
        topic = str(msgspec.json.decode(frame).get("topic", ""))
        work.append((decoders.get(topic.partition(".")[0], other).decode, frame))

    def run() -> None:
        for decode, frame in work:
            decode(frame)

    return run


def parsing(frames: Frames, symbols: SymbolTable) -> Callable[[], None]:
    """Read every frame to model events."""

    def run() -> None:
        for category, frame, receive_ns in frames:
            VENUE.parse_frame(category, frame, receive_ns, symbols)

    return run


def cpu_ms(work: Callable[[], None], runs: int = 51) -> float:
    """Median processor milliseconds of a call: a busy machine must not count against the shorter of two."""
    spent = []
    for _ in range(runs):
        begun = time.process_time_ns()
        work()
        spent.append((time.process_time_ns() - begun) / 1e6)
    return statistics.median(spent)


class Sender(picows.WSListener):
    """Acknowledges the subscription, then sends every frame ``ROUNDS`` times."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        self.free = asyncio.Event()
        self.free.set()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            asked = msgspec.json.decode(frame.get_payload_as_bytes())
            answer = {"success": True, "ret_msg": "", "op": asked["op"], "req_id": asked.get("req_id", "")}
            transport.send(picows.WSMsgType.TEXT, msgspec.json.encode(answer))
            if asked["op"] == "subscribe":
                self.sending = asyncio.ensure_future(self.send(transport))

    def pause_writing(self) -> None:
        self.free.clear()

    def resume_writing(self) -> None:
        self.free.set()

    async def send(self, transport: picows.WSTransport) -> None:
        for start in [*range(0, len(self.frames), BATCH)] * ROUNDS:
            for frame in self.frames[start : start + BATCH]:
                transport.send(picows.WSMsgType.TEXT, frame)
            await asyncio.sleep(0)
            await self.free.wait()


def serve(pipe: Pipe, frames: list[bytes]) -> None:
    """The venue, in a process of its own, until it is killed."""

    async def run() -> None:
        server = await picows.ws_create_server(lambda _: Sender(frames), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def over_socket(port: int, count: int, symbols: SymbolTable) -> tuple[float, float]:
    """Frames a wall second and a processor second, from the first to the last a session read and emitted."""
    venue = replace(VENUE, sockets={"linear": f"ws://127.0.0.1:{port}/v5/public/linear"})
    streams: tuple[Stream, ...] = ("trades",)
    btc = next(listing for listing in symbols if listing.symbol == "BTCUSDT" and listing.category == "linear")
    clock = SystemClock()
    read_block("linear", [b"{}"], [0], symbols)  # a server has its kernels before its sockets
    seen, begun, busy, done = 0, 0, 0, asyncio.Event()

    def tap(_: str, __: int, ___: bytes) -> None:
        nonlocal seen, begun, busy
        if seen == 0:
            begun, busy = time.perf_counter_ns(), time.process_time_ns()
        seen += 1
        if seen == count:
            done.set()

    def emit(_: Events) -> None:
        return

    session = Session(
        venue, [Subscription(btc, streams)], symbols, Outlet(emit, tap), runtime(venue, clock, new_fraction)
    )
    running = asyncio.ensure_future(session.run())
    await done.wait()
    spent_ns, busy_ns = time.perf_counter_ns() - begun, time.process_time_ns() - busy
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return count / (spent_ns / 1e9), count / (busy_ns / 1e9)


def main() -> None:
    """Measure and tell."""
    place = data_dir()
    if place is None:
        tell(BENCH, {"frames_per_s": None, "share_of_typed_floor": None, "socket_frames_per_cpu_s": None})
        return
    recording = read_session(place, VENUE)
    symbols = recording.symbols(VENUE)
    frames = recording.frames
    parse = cpu_ms(parsing(frames, symbols))
    bare = cpu_ms(floor(frames))
    linear = [frame for category, frame, _ in frames if category == "linear" and b'"topic"' in frame]
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, linear), daemon=True)
    child.start()
    try:
        # One acknowledgement precedes the frames.
        wall, processor = asyncio.run(over_socket(mine.recv(), len(linear) * ROUNDS + 1, symbols))
    finally:
        child.kill()
    tell(
        BENCH,
        {
            "frames_per_s": len(frames) / (parse / 1e3),
            "mean_bytes": sum(len(frame) for _, frame, _ in frames) / len(frames),
            "typed_floor_frames_per_s": len(frames) / (bare / 1e3),
            "share_of_typed_floor": bare / parse,
            "socket_frames_per_wall_s": wall,
            "socket_frames_per_cpu_s": processor,
        },
    )


if __name__ == "__main__":
    main()
