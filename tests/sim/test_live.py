"""Tapes, summaries and feeds are made once; a delisted instrument is found no more."""

from __future__ import annotations

from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel


def test_one_tape_summary_and_feed_serve_everybody() -> None:
    live = Live(MarketModel(7, 12), 1.0)
    listing = live.listings()[0]
    assert live.tape(listing) is live.tape(listing)
    assert live.summary(listing) is live.summary(listing)
    assert live.known_feed(listing, 50) is None
    assert live.feed(listing, 50) is live.feed(listing, 50) is live.known_feed(listing, 50)
    assert live.feed(listing, 200) is not live.feed(listing, 50)


def test_a_delisted_instrument_is_found_no_more_and_its_spot_stays() -> None:
    live = Live(MarketModel(7, 12), 1.0)
    live.delist("linear", "ETHUSDT")
    live.delist("linear", "NOPEUSDT")
    assert live.find("linear", "ETHUSDT") is None
    assert live.find("spot", "ETHUSDT") is not None
    assert len(live.listings()) == 11
