"""What the blob columns of scans hold: compressed MessagePack."""

from __future__ import annotations

import threading
from typing import Final, TypeVar

import msgspec
import zstandard

from sextant.model.opportunity import Disposition
from sextant.strategies.answer_pack import answers_of, record_of
from sextant.strategies.answer_records import AnswersRecord
from sextant.strategies.answers import Answers, each

_LEVEL: Final = 3

_T = TypeVar("_T")


class _Codec(threading.local):
    """What compresses in a thread: most blobs are small, and making one anew takes longer than they do."""

    def __init__(self) -> None:
        self.press = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.release = zstandard.ZstdDecompressor().decompress


_CODEC: Final = _Codec()


def pack(value: object) -> bytes:
    """The value of a blob column, as it is stored."""
    return _CODEC.press(msgspec.msgpack.encode(value))


def unpack(blob: bytes, shape: type[_T]) -> _T:
    """The value of a blob column."""
    return msgspec.msgpack.decode(_CODEC.release(blob), type=shape)


def pack_answers(answers: Answers) -> bytes:
    """Answers as they are stored; takes milliseconds for many, and then belongs in a thread."""
    return pack(record_of(answers))


def unpack_answers(blob: bytes) -> Answers:
    """Answers that were stored, also by a release that wrote one disposition after another."""
    kept: AnswersRecord | tuple[Disposition, ...] = msgspec.msgpack.decode(
        _CODEC.release(blob), type=AnswersRecord | tuple[Disposition, ...]
    )
    return answers_of(kept) if isinstance(kept, AnswersRecord) else each(kept)
