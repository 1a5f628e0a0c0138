"""The plain key of a venue account, as it leaves the vault for one call."""

from __future__ import annotations

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    """A key and its secret; printed without either.

    Parameters
    ----------
    venue
        Whose key it is.
    key, secret
        As the venue issued them.
    passphrase
        At venues that ask for a third part; None elsewhere.
    """

    venue: str
    key: str
    secret: str
    passphrase: str | None = None

    def __repr__(self) -> str:
        """The venue only: secrets do not belong in traces and logs."""
        return f"Credentials({self.venue})"

    __str__ = __repr__
