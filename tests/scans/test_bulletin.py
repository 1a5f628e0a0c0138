from __future__ import annotations

import asyncio

from sextant.confluence.detectors import Fact, Seen
from sextant.scans.bulletin import Bulletin
from support.market import instrument

BTC = instrument("BTC")


def fact(value: float) -> Fact:
    return Fact(Seen("whale_trade", BTC, "buy", value, opens=True, closes=False), 1, None, 1, value)


def values(bulletin: Bulletin, after: int) -> list[float]:
    return [notice.what.peak for notice in bulletin.after(after) if isinstance(notice.what, Fact)]


def test_notices_are_numbered_and_told_from_a_number_on() -> None:
    bulletin = Bulletin()
    assert (bulletin.last, bulletin.after(0)) == (0, ())
    bulletin.add(5, [(BTC, fact(1.0)), (BTC, fact(2.0))])
    bulletin.add(6, [(BTC, fact(3.0))])
    assert [(one.number, one.at_ns) for one in bulletin.after(0)] == [(1, 5), (2, 5), (3, 6)]
    assert values(bulletin, 2) == [3.0]
    assert bulletin.last == 3


def test_only_the_newest_are_kept_and_numbers_go_on() -> None:
    bulletin = Bulletin(keep=2)
    bulletin.add(1, [(BTC, fact(float(at))) for at in range(5)])
    assert [one.number for one in bulletin.after(0)] == [4, 5]


async def test_who_waits_is_woken_by_every_scoring() -> None:
    bulletin = Bulletin()
    waiting = [asyncio.ensure_future(bulletin.more()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    bulletin.add(1, [])
    await asyncio.gather(*waiting)
    again = asyncio.ensure_future(bulletin.more())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()
