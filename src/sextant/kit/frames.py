"""A log of raw frames: what arrived on which connection and when, in blocks that survive a killed process.

A file is a row of blocks. Each block is a zstd skippable frame (a mark, the format's number and the length
of what follows) and one independent zstd frame with a checksum, so that ``zstd -d`` reads the file, too.
A process that dies loses at most the block it had not written.
"""

from __future__ import annotations

import datetime
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self, get_args

import msgspec
import zstandard

from sextant.errors import InputError
from sextant.kit.clock import Clock

FrameKind = Literal["open", "sent", "received", "http", "closed"]

ENDING: Final = ".frames.zst"
MARK: Final = b"SEXTANTFRAMES"
FORMAT: Final = 1

_SKIPPABLE: Final = 0x184D2A50
_HEADER: Final = struct.Struct("<II13sBI")  # skippable mark, its length, MARK, FORMAT, bytes of the block
_RECORD: Final = struct.Struct("<qBHHI")  # receive_ns, kind, lengths of connection, address and data
_KINDS: Final[tuple[FrameKind, ...]] = get_args(FrameKind)
_CODE: Final = {kind: code for code, kind in enumerate(_KINDS)}

FLUSH_BYTES: Final = 256 * 1024  # a second of a few hundred instruments, and enough for zstd to work with
FLUSH_NS: Final = 1_000_000_000
MOST_DATA: Final = 64 * 1024 * 1024  # larger than any answer of any venue
MOST_NAME: Final = 65_535
MOST_LEAD: Final = 16 * 1024 * 1024  # a few answers of near a megabyte, repeated each hour
MOST_BLOCK: Final = FLUSH_BYTES + MOST_LEAD + MOST_DATA + 2 * MOST_NAME + _RECORD.size


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened on a connection.

    Parameters
    ----------
    receive_ns
        When it arrived, or was sent, by the recorder's clock.
    connection
        Name of the connection; the venue's name, a dot, and what tells its connections apart.
    kind
        open, sent, received, http (an answer to a request) or closed.
    address
        URL of the connection or of the request; empty for what was received.
    data
        The bytes as they were on the wire.
    """

    receive_ns: int
    connection: str
    kind: FrameKind
    address: str
    data: bytes


class FrameLog:
    """Writes frames, one file per hour of the clock, named ``<name>-YYYYMMDDTHH.frames.zst``.

    Nothing is written at construction. A file of this hour left by an earlier run is continued after its
    last whole block.

    Parameters
    ----------
    folder
        Where the files go; made when absent.
    name
        First part of the file names.
    clock
        Names the hour and says when a block is due.
    flush_bytes
        Bytes of frames that are held back at most before a block is written.
    """

    def __init__(self, folder: Path, name: str, clock: Clock, flush_bytes: int = FLUSH_BYTES) -> None:
        if not 0 < flush_bytes <= FLUSH_BYTES:
            raise InputError(
                f"A block of {flush_bytes} bytes is not in 1..{FLUSH_BYTES}.", field="flush_bytes"
            )
        self._folder = folder
        self._name = name
        self._clock = clock
        self._flush_bytes = flush_bytes
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._held = bytearray()
        self._lead = bytearray()
        self._held_since_ns = 0
        self._file: BinaryIO | None = None
        self._hour = ""
        self.frames_count = 0
        self.written_bytes = 0

    @property
    def path(self) -> Path | None:
        """The file being written; None before the first frame and after the end."""
        return None if self._file is None else Path(self._file.name)

    def write(self, frame: Frame, *, lead: bool = False) -> None:
        """Add a frame, and write a block when one is due.

        Parameters
        ----------
        frame
            What happened.
        lead
            Whether every later file begins with it, so that each can be read alone; for answers that name
            what the others speak of.

        Raises
        ------
        InputError
            If the frame's parts are longer than the format holds, or too many frames lead.
        OSError
            If the block cannot be written, as on a full disk; at most ``flush_bytes`` and one frame are kept
            and tried again.
        """
        record = _packed(frame)
        self._turn()
        if len(self._held) >= self._flush_bytes:
            self.flush()  # only after a failed write; the frame is refused while the disk is full
        if lead:
            if len(self._lead) + len(record) > MOST_LEAD:
                raise InputError(f"The frames that lead every file are over {MOST_LEAD} bytes.")
            self._lead += record
        if not self._held:
            self._held_since_ns = self._clock.monotonic_ns()
        self._held += record
        self.frames_count += 1
        self.flush_due()

    def flush_due(self) -> None:
        """Write the held frames if they are many or old; for the owner to call while nothing arrives."""
        old = self._clock.monotonic_ns() - self._held_since_ns >= FLUSH_NS
        if self._held and (old or len(self._held) >= self._flush_bytes):
            self.flush()

    def flush(self) -> None:
        """Write the held frames as one block."""
        if not self._held:
            return
        file = self._file if self._file is not None else self._opened()
        start = file.tell()
        block = self._compressor.compress(bytes(self._held))
        try:
            rest = memoryview(_HEADER.pack(_SKIPPABLE, _HEADER.size - 8, MARK, FORMAT, len(block)) + block)
            while rest:
                rest = rest[file.write(rest) :]  # an unbuffered file may take less than it is given
        except OSError:
            # A half-written block in the middle would end every later reading there.
            os.ftruncate(file.fileno(), start)
            file.seek(start)
            raise
        self.written_bytes += file.tell() - start
        self._held.clear()

    def close(self) -> None:
        """Write what is held and leave the file durable."""
        self.flush()
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        self._hour = ""

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _turn(self) -> None:
        """Begin the file of the clock's hour when it is another than the open one's."""
        now = datetime.datetime.fromtimestamp(self._clock.now_ns() // 1_000_000_000, tz=datetime.UTC)
        hour = f"{now:%Y%m%dT%H}"
        if hour != self._hour:
            self.close()
            self._hour = hour
            self._held += self._lead

    def _opened(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._name}-{self._hour}{ENDING}"
        # Unbuffered: a block is one write, so that a failed one leaves nothing to be written later.
        file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        try:
            end = _whole_end(file, path)
        except InputError:
            file.close()
            raise
        file.truncate(end)
        file.seek(end)
        self._file = file
        return file


class FrameReader:
    """The frames of one file, in order; stops at a tail that was cut off.

    Parameters
    ----------
    path
        A file of ``FrameLog``.

    Raises
    ------
    InputError
        If the file is of another kind or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames_count = 0
        self.cut_bytes = 0
        """Bytes of an unfinished last block, known when all frames are read."""
        with _open(path) as file:
            _check(file, path)
        self._frames = self._read()

    def __iter__(self) -> Iterator[Frame]:
        """The reader itself: a file is read once."""
        return self

    def __next__(self) -> Frame:
        """The next frame.

        Raises
        ------
        InputError
            If a block before the last is damaged; names the offset and the frames read.
        """
        frame = next(self._frames)
        self.frames_count += 1
        return frame

    def _read(self) -> Iterator[Frame]:
        decompressor = zstandard.ZstdDecompressor()
        with _open(self.path) as file:
            size = os.fstat(file.fileno()).st_size
            while (offset := file.tell()) < size:
                length = _block_length(file.read(_HEADER.size))
                body = b"" if length is None else file.read(length)
                if length is None or len(body) < length:
                    if length is None and size - offset >= _HEADER.size:
                        raise self._damaged(offset)
                    self.cut_bytes = size - offset
                    return
                try:
                    block = decompressor.decompress(body, max_output_size=MOST_BLOCK)
                except zstandard.ZstdError:
                    if file.tell() < size:
                        raise self._damaged(offset) from None
                    self.cut_bytes = size - offset
                    return
                yield from self._records(block, offset)

    def _records(self, block: bytes, offset: int) -> Iterator[Frame]:
        at = 0
        while at < len(block):
            try:
                receive_ns, code, connection, address, data = _RECORD.unpack_from(block, at)
                kind = _KINDS[code]
                names = at + _RECORD.size
                begin = names + connection + address
                if begin + data > len(block):
                    raise self._damaged(offset)
                yield Frame(
                    receive_ns,
                    block[names : names + connection].decode(),
                    kind,
                    block[names + connection : begin].decode(),
                    block[begin : begin + data],
                )
            except (struct.error, IndexError, UnicodeDecodeError):
                raise self._damaged(offset) from None
            at = begin + data

    def _damaged(self, offset: int) -> InputError:
        return InputError(
            f"{self.path}: the block at byte {offset} is damaged; {self.frames_count} frames were read before it.",
            reason="damaged",
            path=str(self.path),
            offset=offset,
            frames=self.frames_count,
        )


def read_frames(path: Path) -> FrameReader:
    """The frames of one file, in order; ``cut_bytes`` of the answer tells what a killed writer left unfinished.

    Raises
    ------
    InputError
        If the file is of another kind or cannot be opened.
    """
    return FrameReader(path)


def is_frame_log(head: bytes) -> bool:
    """Whether a file that begins with these bytes (at least 26) is a frame log."""
    return _block_length(head[: _HEADER.size]) is not None


def _packed(frame: Frame) -> bytes:
    connection, address = frame.connection.encode(), frame.address.encode()
    if len(connection) > MOST_NAME or len(address) > MOST_NAME or len(frame.data) > MOST_DATA:
        raise InputError(
            f"A frame of {frame.connection[:40]} has {len(frame.data)} bytes of data and an address of {len(address)}; "
            f"allowed are {MOST_DATA} and {MOST_NAME}."
        )
    head = _RECORD.pack(frame.receive_ns, _CODE[frame.kind], len(connection), len(address), len(frame.data))
    return b"".join((head, connection, address, frame.data))


def _block_length(head: bytes) -> int | None:
    """Bytes of the block behind a header; None when it is no whole header of this format."""
    if len(head) < _HEADER.size:
        return None
    mark, skipped, name, number, length = _HEADER.unpack(head)
    known = (mark, skipped, name, number) == (_SKIPPABLE, _HEADER.size - 8, MARK, FORMAT)
    return int(length) if known and length <= MOST_BLOCK else None


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", reason="unreadable") from error


def _check(file: BinaryIO, path: Path) -> None:
    head = file.read(_HEADER.size)
    if len(head) == _HEADER.size and not is_frame_log(head):
        raise InputError(
            f"{path} is no log of frames of format {FORMAT}: it begins with {head[:16]!r}.", reason="format"
        )


def _whole_end(file: BinaryIO, path: Path) -> int:
    """Where the last whole block ends."""
    size = file.seek(0, io.SEEK_END)
    end = 0
    while size - end >= _HEADER.size:
        file.seek(end)
        length = _block_length(file.read(_HEADER.size))
        if length is None:
            raise InputError(
                f"{path} exists and is no log of frames at byte {end}; it is not overwritten.",
                reason="format",
            )
        if end + _HEADER.size + length > size:
            break
        end += _HEADER.size + length
    return end
