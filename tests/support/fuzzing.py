"""Seeded damage to messages, and what of every venue is damaged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sextant.venues.channels import channel_of
from sextant.venues.port import Category, SymbolTable, Venue
from support.recordings import read_examples, read_session

LARGE = 4_096
JUNK: tuple[Any, ...] = (
    "", "NaN", "Infinity", "-Infinity", "1e400", "-1", "0", "null", "1" * 60, "\x00", "9" * 19, "1e-320", -1, 0, 10**30,
    -(10**30), 1.5, 1e300, 2**63, 2**64, None, True, [], {}, [[]], [{}], {"x": 1},
)  # fmt: skip
"""Values put in place of any other."""

UNRECORDED: dict[str, tuple[str, ...]] = {
    "binance": (
        '{"stream":"nknusdt@trade","data":{"e":"trade","T":1723161256322,"t":5,"p":"61.3","q":"0.006","m":false}}',
        '{"stream":"ctkusdt@markPrice@1s","data":{"E":1680652800010,"p":"28155.1","i":"28165.0","r":"0.0001","T":1680681600000}}',
        '{"stream":"ctkusdt@forceOrder","data":{"o":{"s":"CTKUSDT","S":"BUY","q":"1","p":"1.4","ap":"1.3","z":"1","T":1791091174219}}}',
        '{"stream":"ctkusdt@ticker","data":{"E":1680652800010,"c":"1","v":"2","q":"3","P":"-2.5"}}',
    ),
    "kraken": (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":0.5,"qty":4.0,"trade_id":46,"timestamp":"2023-09-25T07:49:37.708706Z"}]}',
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":0.1,"bid_qty":7.0,"ask":0.2,"ask_qty":7.0,"last":0.1,"volume":9.8,"vwap":0.1,"low":0.1,"high":0.2,"change":-0.1,"change_pct":-0.17}]}',
        '{"channel":"ohlc","type":"update","timestamp":"2023-10-04T16:26:30.524394914Z","data":[{"symbol":"BTC/USD","open":2.0,"high":4.0,"low":1.0,"close":3.0,"trades":12,"volume":30.6,"vwap":2.5,"interval_begin":"2023-10-04T16:25:00Z","interval":5,"timestamp":"2023-10-04T16:30:00Z"}]}',
        '{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_increment":1e-8,"price_increment":0.1,"cost_min":0.5}]}}',
        '{"method":"subscribe","result":{"channel":"book"},"success":true,"req_id":7}',
    ),
    "okx": (
        '{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["3","1","0","1"]],"bids":[],"ts":"1652459225393","checksum":0,"seqId":105,"prevSeqId":100}]}',
        '{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"fundingRate":"0.0001","fundingTime":"1700726400000","nextFundingTime":"1700755200000","ts":"1700724675402"}]}',
        '{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"markPx":"42310.6","ts":"1700724675402"}]}',
        '{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"oi":"100","oiCcy":"2.5","ts":"1700724675402"}]}',
        '{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1597026360000","10","12","9","11","1100","11","121","1"]]}',
        "pong",
    ),
    "kucoin": (
        '{"topic":"/market/snapshot:DAPPT-BTC","type":"message","subject":"x","data":{"sequence":"1","data":{"lastTradedPrice":0.1,"vol":2,"volValue":3,"changeRate":-0.1,"datetime":1714767640000}}}',
        '{"id":"7","type":"error","code":404,"data":"topic is not found"}',
    ),
}
"""Kinds of frames that no recording holds, as the documentation shows them."""

Frame = tuple[Category, bytes]


def frames_of(data_dir: Path, venue: Venue) -> tuple[list[Frame], SymbolTable]:
    """One frame of each kind, long lists cut, and the instruments that they are of."""
    recording = read_session(data_dir, venue)
    first: dict[object, Frame] = {}
    for category, frame, _ in recording.frames:
        shown = json.dumps(_short(json.loads(frame))).encode() if len(frame) > LARGE else frame
        first.setdefault((category, channel_of(frame)), (category, shown))
    more = [
        (category, text.encode()) for category in venue.sockets for text in UNRECORDED.get(venue.name, ())
    ]
    return [*first.values(), *more], recording.symbols(venue)


def answers_of(data_dir: Path, venue: Venue) -> list[bytes]:
    """Documented and recorded answers of the venue, long lists cut."""
    some = [body for bodies in read_examples(data_dir, venue.name).values() for body in bodies]
    some += [
        json.dumps(_short(json.loads(body))).encode()
        for body in read_session(data_dir, venue).bodies.values()
    ]
    return [body for body in some if len(body) <= LARGE]


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value[:3]] if isinstance(value, list) else value


def damaged(messages: list[bytes], seed: int, count: int) -> Iterator[bytes]:
    """``count`` messages damaged in a random way: bytes, values, fields, or two messages run together."""
    chance = random.Random(seed)  # noqa: S311  # seeded, not secret
    ways = (_bytes, _bytes, _value, _field, _spliced, _again)
    for _ in range(count):
        yield chance.choice(ways)(chance, chance.choice(messages), messages)


def _bytes(chance: random.Random, message: bytes, __: list[bytes]) -> bytes:
    found = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) or 1)
        way = chance.randrange(4)
        if way == 0:
            found[at : at + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            found.insert(at, chance.choice(b'0123456789.-+eE"{}[],:x\x00\xff'))
        elif way == 2:
            del found[at : at + chance.randint(1, 8)]
        else:
            del found[at:]
    return bytes(found)


def _value(chance: random.Random, message: bytes, _: list[bytes]) -> bytes:
    try:
        value = json.loads(message)
    except ValueError:
        return message
    holder, key = _place(chance, value)
    if holder is not None:
        holder[key] = chance.choice(JUNK)
    return json.dumps(value).encode()


def _field(chance: random.Random, message: bytes, _: list[bytes]) -> bytes:
    """A field gone, or under another name."""
    try:
        value = json.loads(message)
    except ValueError:
        return message
    holder, key = _place(chance, value)
    if isinstance(holder, dict):
        taken = holder.pop(key)
        if chance.randrange(2):
            holder[f"{key}x"] = taken
    elif isinstance(holder, list):
        holder.append(holder[key])
    return json.dumps(value).encode()


def _place(chance: random.Random, value: Any) -> tuple[Any, Any]:
    """A random holder and key in a JSON value; None where it has none."""
    holder, key = None, None
    while isinstance(value, dict | list) and value:
        holder, key = (
            value,
            chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value)),
        )
        value = holder[key]
        if not chance.randrange(3):
            break
    return holder, key


def _spliced(chance: random.Random, message: bytes, messages: list[bytes]) -> bytes:
    other = chance.choice(messages)
    return message[: chance.randrange(len(message) + 1)] + other[chance.randrange(len(other) + 1) :]


def _again(chance: random.Random, message: bytes, _: list[bytes]) -> bytes:
    """A piece of the message repeated, up to a very deep or long one."""
    begun = chance.randrange(len(message) or 1)
    piece = message[begun : begun + chance.randint(1, 20)]
    times = chance.choice((2, 3, 2_000))
    return message[:begun] + piece * times + message[begun:]
