"""Deribit, version 2 of its interface: options with greeks, perpetuals and futures, inverse and linear.

References
----------
docs.deribit.com; the facts and their pages are in ``docs/reference/venues/deribit.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.venues.library.deribit import account, frames, instruments, rest, talk
from sextant.venues.library.deribit.wire import CATEGORIES, NAME, SOCKET
from sextant.venues.port import Capabilities, History, Limits, Ping, Variations, Venue

_STREAMS: Final = ("book", "trades", "quote", "derivatives", "liquidations")

VENUE: Final = Venue(
    name=NAME,
    kinds=("perpetual", "future", "option"),
    sockets=dict.fromkeys(CATEGORIES, SOCKET),
    rest="https://www.deribit.com",
    capabilities=Capabilities(
        streams=dict.fromkeys(CATEGORIES, _STREAMS),
        intervals=tuple(rest.RESOLUTIONS),
        funding=True,
        open_interest=False,
        account_ratio=False,
    ),
    limits=Limits(
        # A subscription costs 3,000 of 30,000 credits: ten messages at once, then 3.3 a second.
        topics_per_request=dict.fromkeys(CATEGORIES, 100),
        topic_characters=16_000,  # about 500 channels on a connection; 32 connections are allowed one address
        connects_per_5_min=100,
        requests_per_s=10.0,  # a read costs 500 of 50,000 credits, and 20 a second drip back
        frame_bytes=4 * 1024 * 1024,
    ),
    ping=Ping(text=talk.PING, every_s=15.0, silent_s=30.0),
    topics=talk.topics,
    command=talk.command,
    parse_frame=frames.parse_frame,
    parse_control=talk.parse_control,
    instruments_request=instruments.instruments_request,
    parse_instruments=instruments.parse_instruments,
    quotes_request=rest.quotes_request,
    parse_quotes=rest.parse_quotes,
    history=History(
        bars_rows=rest.BARS_ROWS,
        bars_request=rest.bars_request,
        parse_bars=rest.parse_bars,
        funding_rows=rest.FUNDING_ROWS,
        funding_request=rest.funding_request,
        parse_funding=rest.parse_funding,
        open_interest_rows=0,
        open_interest_request=rest.no_request,
        parse_open_interest=rest.no_open_interest,
        account_ratio_rows=0,
        account_ratio_request=rest.no_request,
        parse_account_ratio=rest.no_account_ratio,
    ),
    refusal=rest.refusal,
    variations=Variations(accounts=account.ACCOUNTS),
    known_gaps=(
        "Bars come from the history only: the venue's live bars do not say when they are final.",
        "Spot, combinations, and contracts settled in other currencies than BTC, ETH and USDC are not read.",
        "Books and trades of single options are read from recordings and not subscribed.",
        "A channel that the venue leaves out of its acknowledgement is noticed by its age.",
        "An account whose currencies are collateral apart has no equity in dollars, and sizes are then illustrative.",
    ),
)
