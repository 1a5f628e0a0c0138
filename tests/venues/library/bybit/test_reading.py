from __future__ import annotations

from collections.abc import Sequence

import pytest

from sextant.model.cells import Cells, address_of
from sextant.venues.library.bybit.reading import read_bar, read_book, read_trade
from sextant.venues.library.bybit.scanning import ODD

TRADE = '{"T":5,"s":"X","S":"Sell","v":"0.5","p":"10.5","i":"ab","BT":true}'
BAR = (
    '{"start":60000,"open":"2","high":"3","low":"1","close":"2.5","volume":"4","turnover":"9","confirm":true}'
)


def _book(text: str) -> tuple[bool, list[int], Sequence[float]]:
    data, head, body = text.encode(), Cells(8), Cells(64)
    whole = read_book(address_of(data), 0, len(data), head.at, body.at) == len(data)
    return whole, [body.ints[0], *head.ints[6:8]], body.reals[1:7].tolist()


def test_a_change_is_its_number_its_bids_and_its_asks() -> None:
    told = _book('{"s":"X","b":[["10.5","1"],["10","0"]],"a":[["11","2.5"]],"u":7,"seq":9}')
    assert told == (True, [7, 2, 1], [10.5, 1.0, 10.0, 0.0, 11.0, 2.5])


@pytest.mark.parametrize(
    "text",
    [
        '{"b":[],"a":[],"u":1}',  # a restart
        '{"a":[],"b":[],"u":7}',
        '{"b":[],"a":[]}',
        '{"b":[],"a":[],"u":7,"u":8}',
        '{"b":[],"a":[],"u":"7"}',
        '{"b":[],"a":[],"u":7,}',
        '{"b":[]"a":[],"u":7}',
        '{"b":[["0","1"]],"a":[],"u":7}',
        '{"b":[["1","-1"]],"a":[],"u":7}',
        '{"b":[["1","1","1"]],"a":[],"u":7}',
        '{"b":[["1","1"],],"a":[],"u":7}',
        '{"b":[{}],"a":[],"u":7}',
        '{"b":[],"a":[],"u":7,"x":{}}',
    ],
)
def test_anything_else_is_odd(text: str) -> None:
    assert not _book(text)[0]


def test_a_trade_is_read_with_its_name_and_a_liquidation_without() -> None:
    data, row = TRADE.encode(), Cells(8)
    assert read_trade(address_of(data), 0, len(data), row.at, 0, True) == len(data)
    assert (row.ints[0], row.reals[1], row.reals[2], row.ints[3], row.ints[4]) == (
        5_000_000,
        10.5,
        0.5,
        -1,
        1,
    )
    assert data[row.ints[5] : row.ints[5] + row.ints[6]] == b"ab"
    for old, new in (
        (',"i":"ab"', ""),
        ('"Sell"', '"sell"'),
        ('"0.5"', '"0"'),
        ("true", "null"),
        ("5,", "0,"),
    ):
        odd = TRADE.replace(old, new).encode()
        assert read_trade(address_of(odd), 0, len(odd), row.at, 0, True) == ODD
    nameless = TRADE.replace(',"i":"ab"', "").encode()
    assert read_trade(address_of(nameless), 0, len(nameless), row.at, 0, False) == len(nameless)


def test_a_bar_that_no_market_can_have_traded_is_odd() -> None:
    data, row = BAR.encode(), Cells(8)
    assert read_bar(address_of(data), 0, len(data), row.at, 0) == len(data)
    assert (row.ints[0], row.ints[7]) == (60_000_000_000, 1)
    assert row.reals[1:7].tolist() == [2.0, 3.0, 1.0, 2.5, 4.0, 9.0]
    for old, new in (('"high":"3"', '"high":"2"'), ('"low":"1"', '"low":"0"'), ("true", '"true"')):
        odd = BAR.replace(old, new).encode()
        assert read_bar(address_of(odd), 0, len(odd), row.at, 0) == ODD
