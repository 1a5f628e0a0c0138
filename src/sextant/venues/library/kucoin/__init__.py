"""KuCoin spot: public market data of the classic sockets.

References
----------
www.kucoin.com/docs-new; the facts and their pages are in ``docs/reference/venues/kucoin.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.model.times import INTERVALS
from sextant.venues.lacking import bars_only
from sextant.venues.library.kucoin import frames, keeper, limits, rest, talk
from sextant.venues.library.kucoin.wire import CATEGORY, NAME
from sextant.venues.port import Capabilities, Limits, Ping, Snapshots, Variations, Venue

VENUE: Final = Venue(
    name=NAME,
    kinds=("spot",),
    sockets={CATEGORY: "wss://ws-api-spot.kucoin.com/"},
    rest="https://api.kucoin.com",
    capabilities=Capabilities(
        streams={CATEGORY: ("book", "trades", "quote", "bars", "derivatives")},
        intervals=INTERVALS,
        funding=False,
        open_interest=False,
        account_ratio=False,
    ),
    limits=Limits(
        topics_per_request={CATEGORY: 100},
        topic_characters=6_900,  # the shortest topic has 20, so that a session stays within 300
        connects_per_5_min=150,  # thirty a minute are allowed
        requests_per_s=10.0,  # of weight 3 each: a quarter of the 4,000 of thirty seconds
        frame_bytes=2 * 1024 * 1024,
    ),
    ping=Ping(text=talk.PING, every_s=18.0, silent_s=28.0),  # the venue's own interval and time to answer
    topics=talk.topics,
    command=talk.command,
    parse_frame=frames.parse_frame,
    parse_control=talk.parse_control,
    instruments_request=rest.instruments_request,
    parse_instruments=rest.parse_instruments,
    quotes_request=rest.quotes_request,
    parse_quotes=rest.parse_quotes,
    history=bars_only(rest.BARS_ROWS, rest.bars_request, rest.parse_bars),
    refusal=rest.CODES.refusal,
    known_gaps=(
        "KuCoin Futures and the newer sockets of the unified account are not read.",
        "Levels beyond the 100 that a book begins with are known only once they have changed, or it is begun anew.",
        "The venue calls no bar final: one closes when the next begins.",
    ),
    variations=Variations(
        policy=limits.POLICY,
        keeper=keeper.KucoinKeeper,
        snapshots=Snapshots(request=rest.book_request, parse=rest.parse_book, paths=rest.BOOKS, per_s=5.0),
        one_channel=True,
        door=talk.DOOR,
        former=((CATEGORY, "wss://push-private.kucoin.com/endpoint"),),
        former_lists=(rest.FORMER_LIST,),
    ),
)
