"""P2 of the fault catalogue: processes that are asked to end while they are busy."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Final

from support.cluster import STOP_S, Cluster, Gone, Line, cluster

PEOPLE: Final = 5
STREAMS: Final = 4  # of each person; api.md 4 allows five
REQUESTS: Final = int(os.environ.get("REQUESTS", "50"))
DISCOVER: Final = "/api/v1/opportunities/discover"
BODY: Final = b'{"strategy_ids": ["ai_spot_momentum_strategy"]}'
ENDS: Final = (b"event: bye\n", b"event: done\n")


def test_p2_processes_that_are_asked_to_end_finish_what_they_began(tmp_path: Path) -> None:
    """P2: with 50 requests, 20 streams and 5 scans: drained within 10 s, every stream has a last event, exit status 0."""
    with cluster(tmp_path, 2, 1, PEOPLE) as made:
        scans = asyncio.run(_asked_to_end(made))
        truths = asyncio.run(_told_by_the_other(made, scans))
    assert len(truths) == PEOPLE
    assert set(truths.values()) <= {"scanning", "complete", "failed"}


async def _asked_to_end(made: Cluster) -> list[str]:
    """Load one API and the worker, ask both to end, and hold what the row promises; the ids of the scans."""
    api, worker = made.apis[0], made.workers[0]
    lines = [Line(api.port, key) for key in made.keys]
    scans = []
    for line in lines:
        status, body = await line.ask("POST", DISCOVER, BODY)
        assert status == 200, body
        scans.append(str(body["scan_id"]))
    opened = asyncio.Semaphore(0)
    streams = [
        asyncio.create_task(_stream(api.port, key, scan_id, opened))
        for key, scan_id in zip(made.keys, scans, strict=True)
        for _ in range(STREAMS)
    ]
    async with asyncio.timeout(60):
        for _ in streams:  # one that was not yet accepted would only be refused
            await opened.acquire()
    tally: Counter[str] = Counter()
    requests = [
        asyncio.create_task(_poll(Line(api.port, made.keys[number % PEOPLE]), scans[number % PEOPLE], tally))
        for number in range(REQUESTS)
    ]
    await asyncio.sleep(0)
    begun = time.monotonic()
    for member in (api, worker):
        member.terminate()
    ended = [await asyncio.to_thread(member.ended) for member in (api, worker)]
    assert ended == [0, 0], worker.told.read_text()[-2_000:]
    assert time.monotonic() - begun < STOP_S
    await asyncio.gather(*requests)
    assert set(tally) <= {"200", "304", "503 draining", "refused"}, tally
    told = await asyncio.gather(*streams)
    assert all(any(end in text for end in ENDS) for text in told), [text[-200:] for text in told]
    for line in lines:
        line.close()
    return scans


async def _stream(port: int, key: str, scan_id: str, opened: asyncio.Semaphore) -> bytes:
    """All that a stream of events sends until the server ends it; ``opened`` is released when it begins."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /api/v1/scans/{scan_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(60):
        text = await reader.readline()
        opened.release()
        while part := await reader.read(65_536):
            text += part
            if any(end in text for end in ENDS):
                break
    writer.close()
    return text


async def _poll(line: Line, scan_id: str, tally: Counter[str]) -> None:
    """One request, and how it ended."""
    try:
        status, body = await line.ask("GET", f"/api/v1/opportunities/status/{scan_id}")
    except Gone:
        tally["refused"] += 1
    else:
        tally[str(status) if status < 500 else f"{status} {body['reason']}"] += 1
    finally:
        line.close()


async def _told_by_the_other(made: Cluster, scans: list[str]) -> dict[str, str]:
    """The state of each scan as the process that goes on tells it."""
    found: dict[str, str] = {}
    for key, scan_id in zip(made.keys, scans, strict=True):
        line = Line(made.apis[1].port, key)
        status, body = await line.ask("GET", f"/api/v1/opportunities/status/{scan_id}")
        assert status == 200, json.dumps(body)
        found[scan_id] = body["status"]
        line.close()
    return found
