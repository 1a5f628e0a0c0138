from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.kit import frames
from sextant.kit.clock import ManualClock
from sextant.kit.frames import FLUSH_BYTES, Frame, FrameLog, FrameReader, read_frames

NOON_NS = 1_717_243_200_000_000_000  # 2024-06-01T12:00Z
NOON = "mine-20240601T12.frames.zst"


def frame(number: int, data: bytes = b'{"topic":"x"}') -> Frame:
    return Frame(NOON_NS + number, "bybit.linear.1", "received", "", data)


def written(folder: Path, count: int, flush_every: int = 1) -> Path:
    with FrameLog(folder, "mine", ManualClock(NOON_NS)) as log:
        for number in range(count):
            log.write(frame(number))
            if (number + 1) % flush_every == 0:
                log.flush()
    return folder / NOON


def test_every_kind_of_frame_comes_back_as_it_was(tmp_path: Path) -> None:
    items = [
        Frame(NOON_NS, "bybit.http", "http", "https://api.example/v5/time", b"{}"),
        Frame(NOON_NS + 1, "bybit.linear.1", "open", "wss://stream.example/v5", b""),
        Frame(NOON_NS + 2, "bybit.linear.1", "sent", "wss://stream.example/v5", b'{"op":"ping"}'),
        Frame(NOON_NS + 3, "bybit.linear.1", "received", "", "größe ≥ 0".encode()),
        Frame(NOON_NS + 4, "bybit.linear.1", "closed", "", b"1006"),
    ]
    with FrameLog(tmp_path, "mine", ManualClock(NOON_NS)) as log:
        for item in items:
            log.write(item)
        assert (log.frames_count, log.path) == (5, None)  # held back: no block was due
    assert list(read_frames(tmp_path / NOON)) == items


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=8), st.binary(max_size=40))))
def test_any_bytes_come_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, str, bytes]]
) -> None:
    items = [Frame(time, name, "received", name[::-1], data) for time, name, data in parts]
    folder = tmp_path_factory.mktemp("frames")
    with FrameLog(folder, "mine", ManualClock(NOON_NS)) as log:
        for item in items:
            log.write(item)
    assert (list(read_frames(folder / NOON)) if items else []) == items


def test_a_block_is_written_when_a_second_has_passed(tmp_path: Path) -> None:
    clock = ManualClock(NOON_NS)
    log = FrameLog(tmp_path, "mine", clock)
    log.write(frame(0))
    clock.advance(0.999)
    log.flush_due()
    assert log.written_bytes == 0
    clock.advance(0.001)
    log.flush_due()
    assert list(read_frames(tmp_path / NOON)) == [frame(0)]
    log.close()


def test_a_block_is_written_when_its_bytes_are_reached(tmp_path: Path) -> None:
    log = FrameLog(tmp_path, "mine", ManualClock(NOON_NS), flush_bytes=100)
    log.write(frame(0, b"x" * 200))
    assert list(read_frames(tmp_path / NOON)) == [frame(0, b"x" * 200)]
    log.close()


def test_each_hour_has_its_own_file(tmp_path: Path) -> None:
    clock = ManualClock(NOON_NS + 3_599 * 10**9)
    with FrameLog(tmp_path, "mine", clock) as log:
        log.write(frame(1))
        clock.advance(1)
        log.write(frame(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOON, "mine-20240601T13.frames.zst"]
    assert list(read_frames(tmp_path / NOON)) == [frame(1)]
    assert list(read_frames(tmp_path / "mine-20240601T13.frames.zst")) == [frame(2)]


def test_a_cut_tail_ends_the_reading_and_is_counted_at_every_byte(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    whole = path.read_bytes()
    two = len(whole) - len(whole) // 3
    for size in range(two, len(whole)):
        path.write_bytes(whole[:size])
        reader = read_frames(path)
        assert list(reader) == [frame(0), frame(1)]
        assert (reader.frames_count, reader.cut_bytes) == (2, size - two)


def test_a_whole_file_has_no_cut_bytes(tmp_path: Path) -> None:
    reader = read_frames(written(tmp_path, 3))
    assert (len(list(reader)), reader.cut_bytes) == (3, 0)


def test_a_garbled_last_block_is_a_cut_tail(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    reader = read_frames(path)
    assert len(list(reader)) == 2
    assert reader.cut_bytes == len(content) // 3


@pytest.mark.parametrize("place", [0.34, 0.5, 0.6])
def test_damage_before_the_last_block_is_an_error_that_says_how_much_was_read(
    tmp_path: Path, place: float
) -> None:
    path = written(tmp_path, 3)
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    path.write_bytes(content)
    reader = read_frames(path)
    assert next(reader) == frame(0)
    with pytest.raises(
        InputError, match=rf"byte {len(content) // 3} is damaged; 1 frames were read"
    ) as caught:
        next(reader)
    assert caught.value.facts["offset"] == len(content) // 3


def test_a_later_run_of_the_same_hour_continues_after_the_last_whole_block(tmp_path: Path) -> None:
    path = written(tmp_path, 2)
    path.write_bytes(path.read_bytes() + path.read_bytes()[:30])
    with FrameLog(tmp_path, "mine", ManualClock(NOON_NS)) as log:
        log.write(frame(9))
    reader = read_frames(path)
    assert list(reader) == [frame(0), frame(1), frame(9)]
    assert reader.cut_bytes == 0


def test_a_foreign_file_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / NOON).write_bytes(b"somebody's letters, longer than a header")
    log = FrameLog(tmp_path, "mine", ManualClock(NOON_NS))
    log.write(frame(0))
    with pytest.raises(InputError, match="not overwritten"):
        log.flush()
    assert (tmp_path / NOON).read_bytes().startswith(b"somebody's letters")


def test_a_file_of_another_kind_is_refused_and_its_beginning_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"PAR1 and a lot of other things in it")
    with pytest.raises(InputError, match="begins with b'PAR1 and"):
        read_frames(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_frames(tmp_path / "absent")


def test_an_empty_file_holds_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    assert list(read_frames(path)) == []


def test_a_frame_too_long_for_the_format_is_refused(tmp_path: Path) -> None:
    log = FrameLog(tmp_path, "mine", ManualClock(NOON_NS))
    with pytest.raises(InputError, match="an address of 65536"):
        log.write(Frame(0, "x", "open", "a" * 65_536, b""))
    assert log.frames_count == 0


@pytest.mark.parametrize("size", [0, FLUSH_BYTES + 1])
def test_a_block_size_out_of_bounds_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match="not in 1"):
        FrameLog(tmp_path, "mine", ManualClock(0), flush_bytes=size)


def test_the_file_is_plain_zstd_for_other_tools(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    assert text.count(b'{"topic":"x"}') == 3


def test_a_failed_write_leaves_whole_blocks_and_keeps_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FrameLog(tmp_path, "mine", ManualClock(NOON_NS))
    log.write(frame(0))
    log.flush()

    class FullDisk:
        def __init__(self) -> None:
            self.inner = log._file

        def write(self, data: bytes) -> int:
            assert self.inner is not None
            self.inner.write(data[:20])
            raise OSError(28, "No space left on device")

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    file = log._file
    monkeypatch.setattr(log, "_file", FullDisk())
    log.write(frame(1))
    with pytest.raises(OSError, match="No space"):
        log.flush()
    monkeypatch.setattr(log, "_file", file)
    log.close()
    assert list(read_frames(tmp_path / NOON)) == [frame(0), frame(1)]


def test_a_killed_process_loses_only_what_was_not_yet_flushed(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path\n"
        "from sextant.kit.clock import ManualClock; from sextant.kit.frames import *\n"
        f"log = FrameLog(Path(sys.argv[1]), 'mine', ManualClock({NOON_NS}))\n"
        "for n in range(10):\n"
        f"    log.write(Frame({NOON_NS} + n, 'bybit.linear.1', 'received', '', b'x'))\n"
        "    if n == 6: log.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env={**os.environ, "PYTHONPATH": source}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    reader = FrameReader(tmp_path / NOON)
    assert [item.receive_ns - NOON_NS for item in reader] == list(range(7))
    assert reader.cut_bytes == 0


def test_frames_that_lead_begin_every_file_and_are_counted_once(tmp_path: Path) -> None:
    clock = ManualClock(NOON_NS)
    with FrameLog(tmp_path, "mine", clock) as log:
        log.write(frame(0), lead=True)
        log.write(frame(1))
        clock.advance(3_600)
        log.write(frame(2))
        clock.advance(3_600)
        log.write(frame(3))
        assert log.frames_count == 4
    held = [[item.receive_ns - NOON_NS for item in read_frames(path)] for path in sorted(tmp_path.iterdir())]
    assert held == [[0, 1], [0, 2], [0, 3]]


def test_frames_that_lead_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST_LEAD", 60)
    with FrameLog(tmp_path, "mine", ManualClock(NOON_NS)) as log:
        log.write(frame(0), lead=True)
        with pytest.raises(InputError, match="over 60 bytes"):
            log.write(frame(1), lead=True)
        assert log.frames_count == 1


def test_a_file_that_takes_little_at_a_time_gets_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FrameLog(tmp_path, "mine", ManualClock(NOON_NS))
    log.write(frame(0))
    log.flush()

    class Slow:
        def __init__(self, inner: BinaryIO) -> None:
            self.inner = inner

        def write(self, data: memoryview) -> int:
            return self.inner.write(data[:7])

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    assert log._file is not None
    monkeypatch.setattr(log, "_file", Slow(log._file))
    log.write(frame(1))
    log.close()
    assert list(read_frames(tmp_path / NOON)) == [frame(0), frame(1)]


def test_while_the_disk_is_full_what_is_held_stays_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = FrameLog(
        tmp_path / "file", "mine", ManualClock(NOON_NS), flush_bytes=100
    )  # no folder can be made here
    for _ in range(5):
        with pytest.raises(OSError, match="File exists"):
            log.write(frame(0, b"x" * 200))
    assert log.frames_count == 1


def test_a_block_whose_records_do_not_add_up_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path, 1)
    header = path.read_bytes()[: frames._HEADER.size - 4]
    too_short = frames._RECORD.pack(0, 0, 0, 0, 9)
    for body in (b"\0" * 5, b"\xff" * 40, too_short, frames._RECORD.pack(0, 0, 1, 0, 0) + b"\xff"):
        block = zstandard.ZstdCompressor().compress(body)
        path.write_bytes(header + len(block).to_bytes(4, "little") + block)
        with pytest.raises(InputError, match="byte 0 is damaged; 0 frames"):
            list(read_frames(path))


def test_a_damaged_header_before_the_last_block_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path, 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="1 frames were read"):
        list(read_frames(path))
