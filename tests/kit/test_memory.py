from __future__ import annotations

import ctypes
import mmap
import platform
import subprocess
import sys
from typing import Any

import pytest

from sextant.kit import memory
from sextant.kit.clock import ManualClock
from sextant.kit.memory import EBB_S, EBB_SHARE, Ebb, give_back, resident_mb, share_heap

CHILD = """
import numpy as np
from sextant.kit.memory import limit_memory
limit_memory({limit})
try:
    np.ones(1 << 27)  # a gigabyte of numbers
except MemoryError:
    print("refused")
else:
    print("given")
small = np.ones(1 << 17)
print(small.size)
"""


def test_an_allocation_beyond_the_limit_fails_and_the_process_goes_on() -> None:
    for limit, said in (("768", "refused"), ("None", "given")):
        told = subprocess.run(
            [sys.executable, "-c", CHILD.format(limit=limit)], capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == [said, str(1 << 17)]


HEAPS = """
import ctypes, threading
from sextant.kit.memory import share_heap
{first}
get = ctypes.CDLL(None).malloc
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
begun = threading.Barrier(4)
regions = set()
def work():
    begun.wait()
    regions.add(get(4_000) >> 26)  # heaps of threads lie on multiples of 64 MB
    begun.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(regions))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives threads heaps of their own")
def test_all_threads_take_memory_from_one_heap() -> None:
    for first, heaps in (("share_heap()", {"1"}), ("", {"2", "3", "4"})):
        told = subprocess.run(
            [sys.executable, "-c", HEAPS.format(first=first)], capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() in heaps


def test_a_c_library_without_heaps_of_threads_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not share_heap()


def test_the_c_library_is_asked_to_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Library:
        def __init__(self, name: None) -> None:
            assert name is None

        @property
        def malloc_trim(self) -> Any:
            def trim(pad: int) -> int:
                asked.append(pad)
                return 1

            return trim

    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert give_back()
    assert asked == [0]


def test_another_c_library_keeps_what_it_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not give_back()


def test_memory_is_given_back_where_a_quarter_more_is_resident_and_every_five_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = iter([400.0, 300.0, 300.0 * (1.0 + EBB_SHARE), 376.0, 320.0, 399.0, 321.0, 310.0])
    monkeypatch.setattr(memory, "resident_mb", lambda: next(told))
    monkeypatch.setattr(memory, "give_back", lambda: True)
    clock = ManualClock()
    ebb = Ebb(clock)
    assert [ebb.look() for _ in range(4)] == [True, False, True, False]
    clock.advance(EBB_S)
    assert ebb.look()
    assert next(told, None) is None


def test_nothing_is_given_back_where_the_machine_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident_mb", lambda: None)
    assert not Ebb(ManualClock()).look()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is resident")
def test_what_is_resident_grows_with_what_is_written() -> None:
    # Pages of its own: what others freed before may be resident still, and would be written anew.
    with mmap.mmap(-1, 64 << 20) as block:
        before = resident_mb()
        block.write(b"1" * len(block))
        after = resident_mb()
    assert before is not None
    assert after is not None
    assert after - before > 50.0
