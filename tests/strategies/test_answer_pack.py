from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.strategies.answer_pack import answers_of, record_of
from sextant.strategies.answer_records import AnswersRecord
from support.answered import MARKETS, answers_about


@pytest.mark.parametrize("make", MARKETS.values(), ids=MARKETS.keys())
@pytest.mark.parametrize("narrow", [False, True])
def test_answers_that_were_kept_say_the_same_to_the_letter(make: Callable[[], View], narrow: bool) -> None:
    view = make()
    bases = sorted({spec.instrument.base for spec in view.instruments})[: 1 if narrow else None]
    encode = msgspec.msgpack.encode
    for answers in answers_about(view, ScanRequest(instruments=tuple(bases))):
        record = encode(record_of(answers))
        again = answers_of(msgspec.msgpack.decode(record, type=AnswersRecord))
        assert encode(tuple(again)) == encode(tuple(answers))
        assert again.kinds() == answers.kinds()
        assert list(again.subjects()) == list(answers.subjects())
        assert encode(record_of(again)) == record
