"""Binance: spot, and USD-M perpetuals and futures.

References
----------
binance/binance-spot-api-docs at a5e0bc3, and developers.binance.com for USD-M futures; the facts and their
pages are in ``docs/reference/venues/binance.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.model.times import INTERVALS
from sextant.venues.library.binance import frames, instruments, limits, rest, talk
from sextant.venues.library.binance.wire import NAME, SPOT, USDM
from sextant.venues.port import (
    Capabilities,
    Category,
    History,
    Limits,
    Ping,
    SideSocket,
    Snapshots,
    SymbolTable,
    Variations,
    Venue,
)
from sextant.venues.renewing import RenewedBooks


def _keeper(_: Category, symbols: SymbolTable) -> RenewedBooks:
    return RenewedBooks(symbols)


VENUE: Final = Venue(
    name=NAME,
    kinds=("spot", "perpetual", "future"),
    sockets={SPOT: "wss://stream.binance.com:9443/stream", USDM: "wss://fstream.binance.com/public/stream"},
    rest="https://api.binance.com",
    capabilities=Capabilities(
        streams={
            SPOT: ("book", "trades", "quote", "bars", "derivatives"),
            USDM: ("book", "trades", "quote", "bars", "derivatives", "liquidations"),
        },
        intervals=INTERVALS,
        funding=True,
        open_interest=True,
        account_ratio=True,
    ),
    limits=Limits(
        topics_per_request={
            SPOT: 200,
            USDM: 200,
        },  # one message near 5 kB; five messages a second are allowed
        topic_characters=16_000,  # the shortest topic has 13, so that a connection stays within 1,024 streams
        connects_per_5_min=300,
        requests_per_s=5.0,  # of weight 2 to 5 each: below 2,400 a minute on futures, and 6,000 on spot
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
        open_interest_rows=rest.POINTS_ROWS,
        open_interest_request=rest.open_interest_request,
        parse_open_interest=rest.parse_open_interest,
        account_ratio_rows=rest.POINTS_ROWS,
        account_ratio_request=rest.account_ratio_request,
        parse_account_ratio=rest.parse_account_ratio,
    ),
    refusal=rest.refusal,
    known_gaps=(
        "COIN-M futures and options are not read.",
        "Open interest is history only: no stream tells it.",
        "Levels beyond the 500 that a book begins with are known only once they have changed, or it is begun anew.",
        "Orders between ticks, left from before a tick was widened, are left out of books.",
        "Of liquidations the venue tells the last of a second for each instrument.",
    ),
    variations=Variations(
        policy=limits.POLICY,
        keeper=_keeper,
        snapshots=Snapshots(
            request=rest.book_request,
            parse=rest.parse_book,
            paths=rest.DEPTH,
            per_s=2.0,  # at weight 25: half of spot's limit; at weight 10 half of that of futures
        ),
        rests={"/fapi/": "https://fapi.binance.com", "/futures/": "https://fapi.binance.com"},
        side_sockets={
            USDM: SideSocket(
                "wss://fstream.binance.com/market/stream", ("trades", "bars", "derivatives", "liquidations")
            )
        },
        former=((USDM, "wss://fstream.binance.com/stream"),),
        assume=talk.assume,
    ),
)
