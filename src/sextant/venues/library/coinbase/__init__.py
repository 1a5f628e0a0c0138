"""Coinbase Advanced Trade: spot, public market data.

References
----------
docs.cdp.coinbase.com, WebSocket channels and REST reference of Advanced Trade; the facts and their pages are
in ``docs/reference/venues/coinbase.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.venues.lacking import bars_only
from sextant.venues.library.coinbase import frames, keeper, limits, rest, talk
from sextant.venues.library.coinbase.wire import CATEGORY, NAME
from sextant.venues.port import Capabilities, Limits, Ping, Variations, Venue

VENUE: Final = Venue(
    name=NAME,
    kinds=("spot",),
    sockets={CATEGORY: "wss://advanced-trade-ws.coinbase.com"},
    rest="https://api.coinbase.com",
    capabilities=Capabilities(
        streams={CATEGORY: ("book", "trades", "quote", "bars", "derivatives")},
        intervals=tuple(rest.GRANULARITY),
        funding=False,
        open_interest=False,
        account_ratio=False,
    ),
    limits=Limits(
        topics_per_request={CATEGORY: 100},  # eight messages a second are allowed one address
        topic_characters=8_000,  # no number is published; some 80 instruments, whose whole books are large
        connects_per_5_min=300,
        requests_per_s=5.0,  # the venue allows one address ten
        frame_bytes=16 * 1024 * 1024,  # a whole book of 46,000 levels is 5 MB
        messages_per_s=8,
    ),
    ping=Ping(text=talk.HEARTBEATS, every_s=20.0, silent_s=30.0),
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
        "Futures of Coinbase Derivatives and International Exchange are not read.",
        "Live bars are of five minutes: the channel has no others, and calls none final.",
        "Trades of a missing frame are not asked for again; its books are.",
    ),
    variations=Variations(policy=limits.POLICY, keeper=keeper.CoinbaseKeeper, one_channel=True),
)
