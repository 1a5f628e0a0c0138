from __future__ import annotations

import hashlib

import numpy as np
import pytest

from sextant.model.digests import digest_of


def test_the_name_is_that_of_all_bytes_one_after_another() -> None:
    numbers = np.arange(600, dtype=np.float64)
    whole = hashlib.blake2b(b"one" + numbers.tobytes(), digest_size=16).digest()
    assert digest_of((b"one", numbers)) == whole
    assert digest_of((b"o", b"ne", numbers[:1], numbers[1:])) == whole
    assert digest_of(()) == hashlib.blake2b(digest_size=16).digest()


def test_an_array_whose_bytes_are_apart_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        digest_of((np.arange(8.0)[::2],))
