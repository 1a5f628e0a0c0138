"""Shards: which of several feeds tells of an instrument, the same in every process and release."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from sextant.errors import InputError
from sextant.model.instrument import Instrument

MOST_SHARDS: Final = 64
_HASH_BYTES: Final = 8


class Shard(msgspec.Struct, frozen=True, order=True):
    """One of ``count`` equal parts of all instruments.

    Parameters
    ----------
    number
        From 1 to ``count``.
    count
        How many there are, 1 to 64.

    Raises
    ------
    InputError
        If there is no such part.

    Notes
    -----
    All options of one underlying, and all its dated futures, lie in one shard: a chain is read as a whole.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Refuse parts that do not exist."""
        if not 1 <= self.count <= MOST_SHARDS or not 1 <= self.number <= self.count:
            raise InputError(
                f"There is no shard {self.number}/{self.count}; shards are i/n with n up to {MOST_SHARDS}."
            )

    def __str__(self) -> str:
        """``number/count``."""
        return f"{self.number}/{self.count}"

    def holds(self, instrument: Instrument) -> bool:
        """Whether an instrument belongs to this part."""
        name = f"{instrument.venue}:{instrument.base}-{instrument.quote}:{instrument.kind}"
        digest = hashlib.blake2b(name.encode(), digest_size=_HASH_BYTES).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """The shard that ``i/n`` names.

    Raises
    ------
    InputError
        If the text names none.

    Examples
    --------
    >>> parse_shard("1/2")
    Shard(number=1, count=2)
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()) or len(text) > 9:
        raise InputError(f"'{text[:20]}' is no shard; one is written i/n, as 1/2.")
    return Shard(int(number), int(count))
