"""Recordings in the containers of others, and in ours, as raw frames; the container is told by content."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import zstandard

from sextant.errors import InputError
from sextant.kit.frames import MOST_DATA, Frame, FrameReader, is_frame_log
from sextant.model.times import MICROSECOND_NS, SECOND_NS, parse_time_ns

Container = Literal["sextant", "cryptofeed_1", "cryptofeed_2", "hftbacktest", "kraken_v2"]

CHUNK: Final = 1 << 16
HEAD: Final = 64  # enough bytes to tell every container
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"

_V1_HTTP: Final = re.compile(rb"(https?://\S+) -> (\d+(?:\.\d+)?): ")
_V1_OPEN: Final = re.compile(rb"(wss?://\S+) <-> (\d+(?:\.\d+)?)$")
_V1_SENT: Final = re.compile(rb"(wss?://\S+) <- (\d+(?:\.\d+)?): ")
_V1_RECEIVED: Final = re.compile(rb"(\d+\.\d+): ")
_V1_CONFIGURATION: Final = b"configuration: "
_LOCAL: Final = re.compile(rb"(\d{16}|\d{19}) (?=\{)")
_CONNECTION: Final = re.compile(r"(?P<name>.+?)(?:\.0)?(?:\.gz|\.zst|\.txt|\.dat)*$")

Line = tuple[int, bytes]


class _Header(msgspec.Struct):
    t: Literal["header"]
    format: int
    exchange: str


class _Record(msgspec.Struct):
    t: Literal["http", "connect", "send", "recv"]
    conn: str
    ts: Decimal
    addr: str = ""
    url: str = ""
    data: str = ""


class _KrakenDump(msgspec.Struct):
    init: msgspec.Raw
    updates: list[msgspec.Raw]


class _Stamp(msgspec.Struct):
    timestamp: str | None = None


class _Stamped(msgspec.Struct):
    data: list[_Stamp]


class _Market(NamedTuple):
    """A market of Binance, and where the answer came from that a book begins with."""

    name: str
    depth: str


class _Envelope(msgspec.Struct):
    stream: str | None = None
    channel: str | None = None


_HEADER: Final = msgspec.json.Decoder(_Header)
_RECORD: Final = msgspec.json.Decoder(_Record)
_DUMP: Final = msgspec.json.Decoder(_KrakenDump)
_STAMPED: Final = msgspec.json.Decoder(_Stamped)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)

_SPOT: Final = _Market("spot", "https://api.binance.com/api/v3/depth")
_USDM: Final = _Market("usdm", "https://fapi.binance.com/fapi/v1/depth")
_COINM: Final = _Market("coinm", "https://dapi.binance.com/dapi/v1/depth")
_PEEKED: Final = 64  # lines read ahead to see of which market they are

_KIND: Final = {"http": "http", "connect": "open", "send": "sent", "recv": "received"}


class Recording:
    """The frames of one recorded file, in its order.

    Parameters
    ----------
    path
        The file.
    container
        What it was found to be.
    frames
        Reads them.
    """

    def __init__(self, path: Path, container: Container, frames: Iterator[Frame]) -> None:
        self.path = path
        self.container = container
        self.frames_count = 0
        self._frames = frames

    @property
    def cut_bytes(self) -> int:
        """Bytes of a tail that a killed recorder left unfinished; known when all frames are read."""
        return self._frames.cut_bytes if isinstance(self._frames, FrameReader) else 0

    def __iter__(self) -> Iterator[Frame]:
        """The recording itself: a file is read once."""
        return self

    def __next__(self) -> Frame:
        """The next frame.

        Raises
        ------
        InputError
            If the file is damaged or ends early; names the line and how many frames were read.
        """
        try:
            frame = next(self._frames)
        except InputError as error:
            error.facts.setdefault("path", str(self.path))
            error.facts["frames"] = self.frames_count
            error.message = (
                f"{error.message} {self.frames_count} frames of {self.path.name} were read before it."
            )
            error.args = (error.message,)
            raise
        self.frames_count += 1
        return frame


def read_recording(path: Path) -> Recording:
    """The frames of a recorded file, in its order.

    Parameters
    ----------
    path
        Our own frame log, cryptofeed's format 1 (one of its files) or 2, lines of local time and JSON as
        hftbacktest records them, or a dump of Kraken's version 2 book; plain, gzip or zstd.

    Raises
    ------
    InputError
        If the file is absent or none of these; names what it begins with.

    Notes
    -----
    Frames of hftbacktest carry no connection: it is ``binance`` and the market, told by the shape of the
    first change of a book, where the message is an envelope with a stream, ``hyperliquid`` where it has a
    channel. Kraken's dump has no time of arrival: the venue's own
    time stands for it, and the first frame takes that of the second.
    """
    head = _head(path)
    if is_frame_log(head):
        return Recording(path, "sextant", FrameReader(path))
    lines = _lines(path, head)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{path} is empty.", reason="format", path=str(path))
    begun = first[1]
    if begun.startswith(b"{"):
        return _json_recording(path, first, lines)
    if _LOCAL.match(begun):
        return Recording(path, "hftbacktest", _local_frames(path, first, lines))
    if begun.startswith(_V1_CONFIGURATION) or any(
        shape.match(begun) for shape in (_V1_HTTP, _V1_OPEN, _V1_SENT, _V1_RECEIVED)
    ):
        return Recording(path, "cryptofeed_1", _text_frames(path, first, lines))
    raise _unknown(path, begun)


def _unknown(path: Path, begun: bytes) -> InputError:
    return InputError(
        f"{path} is no recording that is read here: it begins with {begun[:40]!r}.",
        reason="format",
        path=str(path),
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", reason="unreadable", path=str(path)
        ) from error


def _damaged(path: Path, line: int, what: str) -> InputError:
    return InputError(f"{path}, line {line}: {what}.", reason="damaged", path=str(path), line=line)


def _lines(path: Path, head: bytes) -> Iterator[Line]:
    """The lines of a text file with their numbers from 1, unpacked; the last needs no end.

    Raises
    ------
    InputError
        If a packed file ends early, its bytes are damaged, or a line is longer than any frame.
    """
    number = 0
    rest = b""
    try:
        for piece in _pieces(path, head):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                number += 1
                yield number, line
            if len(rest) > MOST_DATA:
                raise _damaged(path, number + 1, f"longer than {MOST_DATA} bytes")
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise _damaged(path, number + 1, f"the packed bytes are damaged ({error})") from error
    if rest:
        yield number + 1, rest


def _pieces(path: Path, head: bytes) -> Iterator[bytes]:
    """The unpacked content in pieces."""
    unpacker: Callable[[], _Unpacker] = _Plain
    if head.startswith(GZIP):
        unpacker = _Gzip
    elif head.startswith(ZSTD):
        unpacker = _Zstd
    with path.open("rb") as file:
        current = unpacker()
        while packed := file.read(CHUNK):
            while packed:
                if current.ended:
                    current = unpacker()
                yield current.unpack(packed)
                packed = current.rest
        if not current.ended:
            raise EOFError("they end early")


class _Plain:
    """Content that is not packed."""

    ended = True
    rest = b""

    def unpack(self, packed: bytes) -> bytes:
        return packed


class _Gzip:
    """One member of a gzip file."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def ended(self) -> bool:
        return self._inner.eof

    @property
    def rest(self) -> bytes:
        return self._inner.unused_data

    def unpack(self, packed: bytes) -> bytes:
        return self._inner.decompress(packed)


class _Zstd:
    """One frame of a zstd file."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor().decompressobj()

    @property
    def ended(self) -> bool:
        return self._inner.eof

    @property
    def rest(self) -> bytes:
        return self._inner.unused_data

    def unpack(self, packed: bytes) -> bytes:
        return self._inner.decompress(packed)


_Unpacker = _Plain | _Gzip | _Zstd


def _seconds_ns(text: bytes) -> int:
    """Nanoseconds of Unix seconds with a fraction, exactly."""
    whole, _, fraction = text.partition(b".")
    return int(whole) * SECOND_NS + int(fraction[:9].ljust(9, b"0"))


def _text_frames(path: Path, first: Line, lines: Iterator[Line]) -> Iterator[Frame]:
    """Frames of cryptofeed's format 1."""
    named = _CONNECTION.fullmatch(path.name)
    connection = path.name if named is None else named["name"]
    for number, line in _again(first, lines):
        if not line or line.startswith(_V1_CONFIGURATION):
            continue
        # A frame that was received is by far the most frequent line.
        if found := _V1_RECEIVED.match(line):
            yield Frame(_seconds_ns(found[1]), connection, "received", "", line[found.end() :])
        elif found := _V1_HTTP.match(line):
            yield Frame(_seconds_ns(found[2]), connection, "http", found[1].decode(), line[found.end() :])
        elif found := _V1_OPEN.match(line):
            yield Frame(_seconds_ns(found[2]), connection, "open", found[1].decode(), b"")
        elif found := _V1_SENT.match(line):
            yield Frame(_seconds_ns(found[2]), connection, "sent", found[1].decode(), line[found.end() :])
        else:
            raise _damaged(path, number, f"none of the five shapes of cryptofeed's format 1: {line[:40]!r}")


def _again(first: Line, lines: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from lines


def _json_recording(path: Path, first: Line, lines: Iterator[Line]) -> Recording:
    try:
        header = _HEADER.decode(first[1])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _kraken_recording(path, first, lines)
    if header.format != 2:
        raise InputError(
            f"{path} is of cryptofeed's format {header.format}; formats 1 and 2 are read.", reason="format"
        )
    return Recording(path, "cryptofeed_2", _record_frames(path, lines))


def _record_frames(path: Path, lines: Iterator[Line]) -> Iterator[Frame]:
    """Frames of cryptofeed's format 2."""
    for number, line in lines:
        if not line:
            continue
        try:
            record = _RECORD.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(path, number, f"no record of cryptofeed's format 2 ({error})") from error
        yield Frame(
            int(record.ts * SECOND_NS),
            record.conn,
            _KIND[record.t],  # type: ignore[arg-type]  # both sides are spelled above
            record.url or record.addr,
            record.data.encode(),
        )


def _local_frames(path: Path, first: Line, lines: Iterator[Line]) -> Iterator[Frame]:
    """Frames of lines of local time (16 digits: microseconds, 19: nanoseconds) and JSON."""
    begun = list(itertools.islice(lines, _PEEKED))
    market = next((known for _, line in (first, *begun) if (known := _market_of(line)) is not None), None)
    symbol = ""
    for number, line in itertools.chain((first, *begun), lines):
        if not line:
            continue
        found = _LOCAL.match(line)
        if found is None:
            raise _damaged(path, number, f"no local time of 16 or 19 digits before JSON: {line[:40]!r}")
        data = line[found.end() :]
        try:
            envelope = _ENVELOPE.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(path, number, f"no JSON behind the local time ({error})") from error
        unit = MICROSECOND_NS if len(found[1]) == 16 else 1
        receive_ns = int(found[1]) * unit
        connection = "hyperliquid" if envelope.channel else f"binance.{market.name}" if market else "binance"
        if envelope.stream or envelope.channel:
            symbol = (envelope.stream or "").partition("@")[0].upper() or symbol
            yield Frame(receive_ns, connection, "received", "", data)
        else:
            address = f"{market.depth}?symbol={symbol}" if market and symbol else ""
            yield Frame(receive_ns, connection, "http", address, data)


def _market_of(line: bytes) -> _Market | None:
    """The market of Binance that a change of a book is of: only futures name the change before."""
    if b'"depthUpdate"' not in line:
        return None
    if b'"pu":' not in line:
        return _SPOT
    return _COINM if b'"ps":' in line else _USDM


def _kraken_recording(path: Path, first: Line, lines: Iterator[Line]) -> Recording:
    """The recording of one JSON object: a dump of Kraken's book, or nothing that is read here."""
    content = bytearray(first[1])
    if not re.match(rb'\{\s*("init"|$)', bytes(content)):
        raise _unknown(path, bytes(content))
    for number, line in lines:
        content += b"\n" + line
        if len(content) > MOST_DATA:
            raise _damaged(path, number, f"one JSON object of more than {MOST_DATA} bytes")
    try:
        dump = _DUMP.decode(bytes(content))
        stamps = [_STAMPED.decode(raw).data[0].timestamp for raw in dump.updates]
    except (msgspec.DecodeError, IndexError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path} is one JSON object, but no dump of Kraken's book: {error}.", reason="format"
        ) from error
    if not stamps or None in stamps:
        raise InputError(
            f"{path} is a dump of Kraken's book with an update that has no time.", reason="format"
        )
    times = [parse_time_ns(stamp) for stamp in stamps if stamp is not None]
    frames = [
        Frame(time, "kraken.spot", "received", "", bytes(raw))
        for time, raw in zip([times[0], *times], [dump.init, *dump.updates], strict=True)
    ]
    return Recording(path, "kraken_v2", iter(frames))
