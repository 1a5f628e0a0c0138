from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.linalg import eigh

from sextant.model.bar import Floats
from sextant.strategies.leading import leading


def _correlation(size: int, seed: int) -> Floats:
    dice = np.random.default_rng(seed)
    rows = dice.standard_normal((3 * size, size)) + dice.standard_normal((3 * size, 1))
    made: Floats = np.corrcoef(rows, rowvar=False).reshape(size, size)
    return made


@pytest.mark.parametrize("size", [1, 2, 10, 57, 200])
def test_the_vectors_are_those_of_scipy(size: int) -> None:
    matrix = _correlation(size, size)
    before = matrix.copy()
    count = min(10, size)
    values, vectors = leading(matrix, count)
    expected, theirs = eigh(matrix, subset_by_index=(size - count, size - 1))
    np.testing.assert_allclose(values, expected[::-1], rtol=1e-12)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-12)
    np.testing.assert_allclose(np.abs((theirs[:, ::-1] * vectors).sum(axis=0)), 1.0, atol=1e-9)
    np.testing.assert_array_equal(matrix, before)


def test_the_same_matrix_gives_the_same_bits_in_any_thread() -> None:
    matrix = _correlation(120, 3)
    found: list[Floats] = []
    threads = [threading.Thread(target=lambda: found.append(leading(matrix, 10)[1])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(vectors.tobytes() == found[0].tobytes() for vectors in found)


def test_equal_eigenvalues_have_vectors_at_right_angles() -> None:
    values, vectors = leading(np.eye(12), 5)
    np.testing.assert_array_equal(values, np.ones(5))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-12)
