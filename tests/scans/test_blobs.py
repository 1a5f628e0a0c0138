from __future__ import annotations

from sextant.scans.blobs import pack, pack_answers, unpack_answers
from sextant.strategies.answers import each
from support.scans import disposition

ITEMS = [disposition(f"bybit:C{number}-USDT:spot", "gate_failed") for number in range(3)]


def test_answers_come_back_as_they_were_stored() -> None:
    assert unpack_answers(pack_answers(each(ITEMS))) == ITEMS
    assert not len(unpack_answers(pack_answers(each([]))))


def test_answers_that_an_earlier_release_stored_one_by_one_are_read() -> None:
    assert unpack_answers(pack(tuple(ITEMS))) == ITEMS
    assert not len(unpack_answers(pack(())))
