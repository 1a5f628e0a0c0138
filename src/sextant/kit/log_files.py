"""Log lines on disk: written by a thread of their own, rotated by size and day, read back by time and level."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from sextant.errors import InputError
from sextant.kit.clock import Clock

Level = Literal["debug", "info", "warning", "error", "critical"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error", "critical")

MOST_BYTES: Final = 16 * 1024**2  # a file that an editor opens at once
KEPT_FILES: Final = 16  # a quarter of a GiB in all
WAITING_LINES: Final = 10_000  # beyond it lines are dropped and counted: a full disk must not fill the memory
BLOCK: Final = 1 << 20

_NAME: Final = re.compile(r"sextant-(\d{8}T\d{6}Z)-\d+-\d+\.jsonl")
_SINCE: Final = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class LogFiles:
    """Takes lines without waiting and writes them in order.

    Parameters
    ----------
    folder
        Where the files are; made when first needed.
    clock
        Names files and turns them over at midnight UTC.
    most_bytes, kept_files
        When a file is turned over, and how many stay.

    Notes
    -----
    A line that cannot be written is dropped and counted; the next one that can be is preceded by the count.
    """

    def __init__(
        self, folder: Path, clock: Clock, most_bytes: int = MOST_BYTES, kept_files: int = KEPT_FILES
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._most_bytes = most_bytes
        self._kept_files = kept_files
        self._waiting: deque[str] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._writing = False
        self._dropped = 0
        self._number = 0
        self._file: BinaryIO | None = None
        self._day = ""
        self._thread = threading.Thread(target=self._serve, name="log-files", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take one line without its end; never waits for the disk."""
        with self._wake:
            if len(self._waiting) >= WAITING_LINES:
                self._dropped += 1
                return
            self._waiting.append(line)
            self._wake.notify_all()

    def drain(self) -> None:
        """Wait until every line taken so far is written or dropped."""
        with self._wake:
            self._wake.wait_for(lambda: not self._waiting and not self._writing)

    def close(self) -> None:
        """Write what waits, then end."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.notify_all()
                    self._wake.wait()
                lines, done = list(self._waiting), self._closed
                self._waiting.clear()
                self._writing = True
                dropped, self._dropped = self._dropped, 0
            if lines:
                self._put(lines, dropped)
            with self._wake:
                self._writing = False
            if done:
                break
        if self._file is not None:
            self._file.close()

    def _put(self, lines: list[str], dropped: int) -> None:
        stamp = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        told = (
            [f'{{"event":"log.dropped","count":{dropped},"level":"warning","timestamp":"{_iso(stamp)}"}}']
            if dropped
            else []
        )
        text = "".join(f"{line}\n" for line in (*told, *lines)).encode()
        try:
            file = self._current(stamp)
            file.write(text)
            file.flush()
        except OSError:
            with self._wake:
                self._dropped += len(lines) + dropped

    def _current(self, stamp: datetime) -> BinaryIO:
        """The file to write to, turned over where the last one is full or of another day."""
        day = f"{stamp:%Y%m%d}"
        if self._file is not None and self._day == day and self._file.tell() < self._most_bytes:
            return self._file
        if self._file is not None:
            self._file.close()
            self._file = None
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._number += 1
        name = f"sextant-{stamp:%Y%m%dT%H%M%SZ}-{os.getpid()}-{self._number}.jsonl"
        self._file = (self._folder / name).open("ab")
        self._day = day
        for old in _files(self._folder)[: -self._kept_files]:
            old.unlink(missing_ok=True)
        return self._file


class _Stamp(msgspec.Struct, frozen=True):
    """What every line has, whatever else it says."""

    timestamp: str
    level: str = "info"


def since_of(text: str, now_ns: int) -> int:
    """The time so long ago as a text like ``12h`` says; ns UTC.

    Raises
    ------
    InputError
        If it is no number of s, m, h or d.
    """
    found = _SINCE.fullmatch(text)
    if found is None:
        raise InputError(f"--since is '{text}'; it is a number of s, m, h or d, as in 30m, 12h or 7d.")
    return now_ns - int(found[1]) * _UNIT_S[found[2]] * 10**9


def read_lines(folder: Path, since_ns: int, level: Level = "info") -> Iterator[bytes]:
    """Lines at or after a time and of a level or above, file by file, the oldest first.

    Parameters
    ----------
    folder
        Where :class:`LogFiles` writes.
    since_ns
        ns UTC.
    level
        The least grave level wanted.
    """
    stamp = _iso(datetime.fromtimestamp(since_ns / 1e9, UTC))
    wanted = frozenset(LEVELS[LEVELS.index(level) :])
    decode = msgspec.json.Decoder(_Stamp).decode
    marks = tuple(f'"{name}"'.encode() for name in wanted)
    for path in _files(folder):
        if path.stat().st_mtime_ns < since_ns:
            continue
        with path.open("rb") as file:
            file.seek(_first_at(file, path.stat().st_size, stamp, decode))
            for line in file:
                # Most lines of a long log are of no wanted level; looking for the word is cheaper than reading JSON.
                if not any(mark in line for mark in marks):
                    continue
                try:
                    read = decode(line)
                except msgspec.MsgspecError:
                    continue  # the last line of a killed process
                if read.level in wanted and read.timestamp >= stamp:
                    yield line.rstrip(b"\n")


def _first_at(file: BinaryIO, size: int, stamp: str, decode: Callable[[bytes], _Stamp]) -> int:
    """Offset of a line at or before the first one of this time; lines are in order of time."""
    low, high = 0, size
    while high - low > BLOCK:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        line = file.readline()
        try:
            earlier = bool(line) and decode(line).timestamp < stamp
        except msgspec.MsgspecError:
            earlier = False
        low, high = (middle, high) if earlier else (low, middle)
    file.seek(low)
    if low:
        file.readline()
    return file.tell()


def _files(folder: Path) -> list[Path]:
    """Log files, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _iso(stamp: datetime) -> str:
    return f"{stamp:%Y-%m-%dT%H:%M:%S.%fZ}"
