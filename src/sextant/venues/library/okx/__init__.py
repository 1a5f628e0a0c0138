"""OKX, version 5 of its interface: spot, perpetuals and futures, linear and inverse.

References
----------
www.okx.com/docs-v5 and its changelog; the facts and their pages are in ``docs/reference/venues/okx.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.model.times import INTERVALS
from sextant.venues.library.okx import frames, keeper, limits, rest, talk
from sextant.venues.library.okx.wire import CATEGORY, NAME
from sextant.venues.port import (
    Capabilities,
    History,
    Limits,
    Ping,
    SideSocket,
    Snapshots,
    Variations,
    Venue,
)

VENUE: Final = Venue(
    name=NAME,
    kinds=("spot", "perpetual", "future"),
    sockets={CATEGORY: "wss://ws.okx.com:8443/ws/v5/public"},
    rest="https://www.okx.com",
    capabilities=Capabilities(
        streams={CATEGORY: ("book", "trades", "quote", "bars", "derivatives")},
        intervals=INTERVALS,
        funding=True,
        open_interest=True,
        account_ratio=True,
    ),
    limits=Limits(
        topics_per_request={CATEGORY: 100},  # one message near 6 kB; 64 kB are allowed
        topic_characters=8_000,  # below the 480 subscriptions an hour that one connection may ask for
        connects_per_5_min=300,  # three a second are allowed one address
        requests_per_s=2.5,  # of the statistics five in two seconds are allowed
        frame_bytes=4 * 1024 * 1024,
    ),
    ping=Ping(text=talk.PING, every_s=15.0, silent_s=30.0),  # cut after 30 s without a question
    topics=talk.topics,
    command=talk.command,
    parse_frame=frames.parse_frame,
    parse_control=talk.parse_control,
    instruments_request=rest.instruments_request,
    parse_instruments=rest.parse_instruments,
    quotes_request=rest.quotes_request,
    parse_quotes=rest.parse_quotes,
    history=History(
        bars_rows=rest.ROWS,
        bars_request=rest.bars_request,
        parse_bars=rest.parse_bars,
        funding_rows=rest.ROWS,
        funding_request=rest.funding_request,
        parse_funding=rest.parse_funding,
        open_interest_rows=rest.ROWS,
        open_interest_request=rest.open_interest_request,
        parse_open_interest=rest.parse_open_interest,
        account_ratio_rows=rest.ROWS,
        account_ratio_request=rest.account_ratio_request,
        parse_account_ratio=rest.parse_account_ratio,
    ),
    refusal=rest.CODES.refusal,
    known_gaps=(
        "Options are not read.",
        "Index prices and liquidations are not read.",
        "The turnover of spot and futures is not known before their first message.",
    ),
    variations=Variations(
        policy=limits.POLICY,
        keeper=keeper.OkxKeeper,
        snapshots=Snapshots(
            request=rest.book_request, parse=rest.parse_book, paths={rest.BOOK: CATEGORY}, per_s=10.0
        ),
        side_sockets={CATEGORY: SideSocket("wss://ws.okx.com:8443/ws/v5/business", ("bars",))},
    ),
)
