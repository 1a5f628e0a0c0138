"""Bybit, version 5 of its interface: linear and inverse perpetuals and futures, and spot.

References
----------
bybit-exchange/docs at 072c197, folder ``docs/v5``; the facts and their pages are in
``docs/reference/venues/bybit.md``.
"""

from __future__ import annotations

from typing import Final

from sextant.model.times import INTERVALS
from sextant.venues.library.bybit import account, frames, instruments, limits, messages, rest, talk
from sextant.venues.library.bybit.wire import NAME
from sextant.venues.port import Capabilities, History, Limits, Ping, StatusPage, Variations, Venue

_DERIVATIVE_STREAMS: Final = ("book", "trades", "quote", "bars", "derivatives", "liquidations")
_SPOT_STREAMS: Final = ("book", "trades", "quote", "bars", "derivatives")

VENUE: Final = Venue(
    name=NAME,
    kinds=("spot", "perpetual", "future"),
    sockets={
        "linear": "wss://stream.bybit.com/v5/public/linear",
        "inverse": "wss://stream.bybit.com/v5/public/inverse",
        "spot": "wss://stream.bybit.com/v5/public/spot",
    },
    rest="https://api.bybit.com",
    capabilities=Capabilities(
        streams={"linear": _DERIVATIVE_STREAMS, "inverse": _DERIVATIVE_STREAMS, "spot": _SPOT_STREAMS},
        intervals=INTERVALS,
        funding=True,
        open_interest=True,
        account_ratio=True,
    ),
    limits=Limits(
        # Sockets of contracts state no number of topics; 200 keeps one message near 5 kB.
        topics_per_request={"linear": 200, "inverse": 200, "spot": 10},
        topic_characters=21_000,
        connects_per_5_min=500,
        requests_per_s=100.0,  # the venue allows 600 in 5 s
        frame_bytes=2 * 1024 * 1024,
    ),
    ping=Ping(text=b'{"op":"ping"}', every_s=20.0, silent_s=30.0),
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
        open_interest_rows=rest.OPEN_INTEREST_ROWS,
        open_interest_request=rest.open_interest_request,
        parse_open_interest=rest.parse_open_interest,
        account_ratio_rows=rest.ACCOUNT_RATIO_ROWS,
        account_ratio_request=rest.account_ratio_request,
        parse_account_ratio=rest.parse_account_ratio,
    ),
    refusal=rest.refusal,
    known_gaps=(
        "Options are not read.",
        "The history of open interest of inverse contracts is in dollars without a price, and not read.",
        "Notices of maintenance are read every half minute, not heard on the socket that tells them at once.",
        "A ban holds for the processes of one machine; several machines behind one address do not tell each other.",
        "Accounts other than unified ones, and positions not settled in USDT, are not read.",
    ),
    variations=Variations(
        accounts=account.ACCOUNTS,
        policy=limits.POLICY,
        status=StatusPage(rest.STATUS_REQUEST, rest.parse_status),
        read_block=messages.read_block,
    ),
)
