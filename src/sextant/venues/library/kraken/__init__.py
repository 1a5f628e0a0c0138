"""Kraken spot: version 2 of its public sockets, and the public part of its REST interface.

References
----------
docs.kraken.com, guides and reference of the Spot WebSocket version 2 and of Spot REST; the facts and their
pages are in ``docs/reference/venues/kraken.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.model.times import INTERVALS
from sextant.venues.lacking import bars_only
from sextant.venues.library.kraken import frames, keeper, limits, rest, talk
from sextant.venues.library.kraken.wire import CATEGORY, NAME
from sextant.venues.port import Capabilities, Limits, Ping, StatusPage, Variations, Venue

VENUE: Final = Venue(
    name=NAME,
    kinds=("spot",),
    sockets={CATEGORY: "wss://ws.kraken.com/v2"},
    rest="https://api.kraken.com",
    capabilities=Capabilities(
        streams={CATEGORY: ("book", "trades", "quote", "bars", "derivatives")},
        intervals=INTERVALS,
        funding=False,
        open_interest=False,
        account_ratio=False,
    ),
    limits=Limits(
        topics_per_request={CATEGORY: 100},  # no number is published; 100 keeps one message near 2 kB
        topic_characters=16_000,
        connects_per_5_min=75,  # widely quoted as 150 in 10 minutes, on no page of the venue's
        requests_per_s=1.0,  # public calls are counted per address at about one a second
        frame_bytes=4 * 1024 * 1024,
    ),
    # Heartbeats come about once a second; ten seconds without any frame mean that the connection is dead.
    ping=Ping(text=talk.PING, every_s=5.0, silent_s=10.0),
    topics=talk.topics,
    command=talk.command,
    parse_frame=frames.parse_frame,
    parse_control=talk.parse_control,
    instruments_request=rest.instruments_request,
    parse_instruments=rest.parse_instruments,
    quotes_request=rest.quotes_request,
    parse_quotes=rest.parse_quotes,
    history=bars_only(rest.BARS_ROWS, rest.bars_request, rest.parse_bars),
    refusal=rest.refusal,
    known_gaps=(
        "Version 1 of the sockets and Kraken Futures are not read.",
        "History reaches back 720 bars of each interval: the venue gives no more.",
        "Notices of maintenance are read every half minute, not heard in the channel of status.",
        "The venue calls no bar final: one closes when the next begins.",
    ),
    variations=Variations(
        policy=limits.POLICY,
        keeper=keeper.KrakenKeeper,
        one_channel=True,
        assume=talk.assume,
        status=StatusPage(rest.STATUS_REQUEST, rest.parse_status),
    ),
)
