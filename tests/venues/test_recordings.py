from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.kit.frames import Frame, FrameLog
from sextant.venues import recordings
from sextant.venues.recordings import read_recording

HEADER = b'{"t":"header","format":2,"exchange":"BYBIT","config":{}}\n'
RECV = b'{"t":"recv","conn":"BYBIT.ws.2","ts":1786310818.2235148,"data":"{\\"a\\":1}"}\n'


def placed(tmp_path: Path, content: bytes, name: str = "x") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_line_of_format_2_keeps_every_digit_of_its_time(tmp_path: Path) -> None:
    (frame,) = read_recording(placed(tmp_path, HEADER + RECV))
    assert frame == Frame(1_786_310_818_223_514_800, "BYBIT.ws.2", "received", "", b'{"a":1}')


def test_the_five_shapes_of_format_1_are_read(tmp_path: Path) -> None:
    content = (
        b'https://api.example/v2/symbols -> 1618677785.481953: {"r":1}\n'
        b"configuration: {}\n"
        b"wss://stream.example/realtime <-> 1618677785.48\n"
        b'wss://stream.example/realtime <- 1618677786.46: {"op":"subscribe"}\n'
        b'1618677786.80: {"topic":"trade"}\n\n\n'
    )
    frames = list(read_recording(placed(tmp_path, gzip.compress(content), "BYBIT.ws.25.0.gz")))
    name = "BYBIT.ws.25"
    assert frames == [
        Frame(1_618_677_785_481_953_000, name, "http", "https://api.example/v2/symbols", b'{"r":1}'),
        Frame(1_618_677_785_480_000_000, name, "open", "wss://stream.example/realtime", b""),
        Frame(
            1_618_677_786_460_000_000, name, "sent", "wss://stream.example/realtime", b'{"op":"subscribe"}'
        ),
        Frame(1_618_677_786_800_000_000, name, "received", "", b'{"topic":"trade"}'),
    ]


def test_lines_of_local_time_are_read_in_their_unit(tmp_path: Path) -> None:
    content = b'1680652800005184 {"stream":"a@b"}\n1723161256172210766 {"lastUpdateId":1}\n'
    first, second = read_recording(placed(tmp_path, content))
    assert (first.receive_ns, first.kind) == (1_680_652_800_005_184_000, "received")
    assert (second.receive_ns, second.kind) == (1_723_161_256_172_210_766, "http")


def test_our_own_log_is_read_through_the_same_door_and_tells_its_cut_tail(tmp_path: Path) -> None:
    frames = [Frame(number, "bybit.linear.0", "received", "", b"{}") for number in range(3)]
    with FrameLog(tmp_path, "mine", ManualClock(0)) as log:
        for frame in frames:
            log.write(frame)
            log.flush()
    path = tmp_path / "mine-19700101T00.frames.zst"
    path.write_bytes(path.read_bytes()[:-1])
    recording = read_recording(path)
    assert list(recording) == frames[:2]
    assert recording.container == "sextant"
    assert recording.cut_bytes > 0


def test_a_dump_of_krakens_book_takes_the_venues_time(tmp_path: Path) -> None:
    content = b'{\n"init":{"data":[{}]},\n"updates":[{"data":[{"qty":4.10,"timestamp":"2023-07-30T15:29:58.343415Z"}]}]}'
    first, second = read_recording(placed(tmp_path, content))
    assert first.receive_ns == second.receive_ns == 1_690_730_998_343_415_000
    assert b"4.10" in second.data


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"hello\n", "begins with b'hello'"),
        (b'{"t":"header","format":3,"exchange":"X"}\n', "cryptofeed's format 3"),
        (b'{"venue":"bybit"}\n', "no recording that is read here"),
        (b'{\n"other":1}', "no dump of Kraken's book"),
        (b'{"init":{},"updates":[{"data":[{}]}]}', "an update that has no time"),
        (b'{"init":{},"updates":[{"data":[]}]}', "no dump of Kraken's book"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_was_found(
    tmp_path: Path, content: bytes, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        read_recording(placed(tmp_path, content))


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_recording(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "line", "read"),
    [
        (HEADER + RECV + RECV + b'{"t":"recv","conn":1}\n', 4, 2),
        (HEADER + RECV + RECV[:30], 3, 1),
        (b'1618677786.80: {"a":1}\nrubbish\n', 2, 1),
        (b'1680652800005184 {"stream":"a@b"}\n168065280000518 {"a":1}\n', 2, 1),
        (b'1680652800005184 {"stream":"a@b"}\n1680652800005184 {"stream":\n', 2, 1),
    ],
)
def test_a_damaged_line_is_named_with_how_many_frames_were_read(
    tmp_path: Path, content: bytes, line: int, read: int
) -> None:
    recording = read_recording(placed(tmp_path, content))
    with pytest.raises(InputError, match=rf"line {line}: .*{read} frames of x were read before it") as caught:
        list(recording)
    assert caught.value.facts["line"] == line
    assert caught.value.facts["frames"] == read
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_a_packed_file_that_ends_early_is_an_error_and_not_a_short_recording(
    tmp_path: Path, pack: object
) -> None:
    packed = pack(HEADER + RECV * 5_000)  # type: ignore[operator]
    with pytest.raises(InputError, match="they end early"):
        list(read_recording(placed(tmp_path, packed[:-9])))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_a_packed_file_with_a_flipped_byte_is_an_error(tmp_path: Path, pack: object) -> None:
    packed = bytearray(pack(HEADER + RECV * 5_000))  # type: ignore[operator]
    packed[-3] ^= 0xFF
    with pytest.raises(InputError, match="the packed bytes are damaged"):
        list(read_recording(placed(tmp_path, bytes(packed))))


def test_files_packed_in_several_members_are_read_on(tmp_path: Path) -> None:
    content = gzip.compress(HEADER) + gzip.compress(RECV) + gzip.compress(RECV)
    assert len(list(read_recording(placed(tmp_path, content)))) == 2


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b'{"t":"recv","x":' + DEEP + b"}",
        b'1680652800005184 {"x":' + DEEP + b"}",
        b'{"init":{},"updates":[{"data":' + DEEP + b"}]}",
        b'{"t":"header","x":' + DEEP + b"}",
    ],
)
def test_bottomless_content_is_an_error_like_any_other(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        list(read_recording(placed(tmp_path, content)))


def test_blank_lines_between_records_are_nothing(tmp_path: Path) -> None:
    assert len(list(read_recording(placed(tmp_path, HEADER + b"\n" + RECV + b"\n")))) == 1
    assert len(list(read_recording(placed(tmp_path, b'1680652800005184 {"stream":"a"}\n\n')))) == 1


def test_a_dump_larger_than_any_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MOST_DATA", 1_000)
    path = placed(tmp_path, b"{\n" + b'"init":1,\n' * 200)
    with pytest.raises(InputError, match="one JSON object of more than 1000 bytes"):
        read_recording(path)


def test_a_line_longer_than_any_frame_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MOST_DATA", 1_000)
    path = placed(tmp_path, HEADER + b"x" * 2_000)
    with pytest.raises(InputError, match="longer than 1000 bytes"):
        list(read_recording(path))
