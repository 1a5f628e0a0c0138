from __future__ import annotations

import msgspec

from sextant.scans.records import ScanRequest
from sextant.strategies.answer_pack import record_of
from sextant.strategies.answer_records import AlikeRecord, AnswersRecord, RefusalRecord
from support.answered import answers_about
from support.markets import momentum_market


def test_records_of_both_kinds_come_back_from_bytes_as_they_were() -> None:
    kinds: set[type] = set()
    for answers in answers_about(momentum_market(), ScanRequest()):
        record = record_of(answers)
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=AnswersRecord)
        assert again == record
        kinds.add(type(again.refused))
    assert kinds == {AlikeRecord, RefusalRecord}
