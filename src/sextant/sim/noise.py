"""Randomness as a pure function of (seed, stream, lane, index), so that any past moment can be drawn at once."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bits = NDArray[np.uint64]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_LANE: Final = 0xD1B54A32D192ED03
_STREAM: Final = 0xABC98388FB8FAC03
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


def mix(value: int) -> int:
    """64 well-mixed bits of a number.

    References
    ----------
    Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": the finaliser of SplitMix64.
    """
    value &= _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


def _mix_all(values: Bits) -> Bits:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_FIRST)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_SECOND)
    mixed: Bits = values ^ (values >> np.uint64(31))
    return mixed


class Noise:
    """Independent draws addressed by stream, lane and index.

    Parameters
    ----------
    seed
        Worlds of different seeds share nothing.
    """

    def __init__(self, seed: int) -> None:
        self._seed = mix(seed * _GOLDEN + 1)

    def bits(self, stream: int, lane: Any, index: Any) -> Bits:
        """64 bits each, shape of ``lane`` and ``index`` broadcast and at least one-dimensional.

        Parameters
        ----------
        stream
            What the draw is for.
        lane, index
            Integers >= 0 or arrays of them: whose draw, and when.
        """
        key = np.uint64(mix(self._seed + stream * _STREAM))
        lanes = np.atleast_1d(np.asarray(lane, dtype=np.int64)).astype(np.uint64)
        indices = np.atleast_1d(np.asarray(index, dtype=np.int64)).astype(np.uint64)
        return _mix_all(_mix_all(lanes * np.uint64(_LANE) + key) + indices * np.uint64(_GOLDEN))

    def uniform(self, stream: int, lane: Any, index: Any) -> Floats:
        """Draws in [0, 1)."""
        found: Floats = (self.bits(stream, lane, index) >> np.uint64(11)).astype(np.float64) * (
            1.0 / (1 << 53)
        )
        return found

    def normal(self, stream: int, lane: Any, index: Any) -> Floats:
        """Draws of mean 0 and variance 1 within +-3.47.

        Notes
        -----
        The sum of four 16-bit uniforms: light tails on purpose; heavy ones come from regimes and jumps.
        """
        bits = self.bits(stream, lane, index)
        low = np.uint64(0xFFFF)
        total = (bits & low) + (bits >> np.uint64(16) & low) + (bits >> np.uint64(32) & low)
        total = total + (bits >> np.uint64(48))
        found: Floats = (total.astype(np.float64) / 65536.0 - 2.0) * math.sqrt(3.0)
        return found

    def wave(self, stream: int, lane: Any, position: Any) -> Floats:
        """A smooth curve of mean 0 and variance near 0.7 through one normal draw per whole position.

        Parameters
        ----------
        position
            float >= 0: time in units of the curve's memory.
        """
        at = np.atleast_1d(np.asarray(position, dtype=np.float64))
        whole = np.floor(at).astype(np.int64)
        part: Floats = at - whole.astype(np.float64)
        ease = part * part * (3.0 - 2.0 * part)
        left, right = self.normal(stream, lane, whole), self.normal(stream, lane, whole + 1)
        found: Floats = left + (right - left) * ease
        return found

    def dice(self, stream: int, lane: int, index: int) -> Dice:
        """A sequence of draws for one moment, cheap for scalar code."""
        return Dice(mix(mix(self._seed + stream * _STREAM + lane * _LANE) + index * _GOLDEN))


class Dice:
    """Scalar draws in order.

    Parameters
    ----------
    state
        64 bits from which the sequence follows.
    """

    __slots__ = ("_state",)

    def __init__(self, state: int) -> None:
        self._state = state

    def bits(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        return mix(self._state)

    def unit(self) -> float:
        """The next draw in [0, 1)."""
        return (self.bits() >> 11) * (1.0 / (1 << 53))

    def below(self, bound: int) -> int:
        """The next whole number in [0, bound)."""
        return self.bits() % bound
