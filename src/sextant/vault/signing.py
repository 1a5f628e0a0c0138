"""The key that signs access tokens: given by the operator, or made once and kept beside the data."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from sextant.errors import ConfigError
from sextant.kit.ids import new_secret

LEAST_KEY_BYTES: Final = 32  # RFC 7518, 3.2: at least the size of the hash
_FILE: Final = "token.key"


class SigningKey(msgspec.Struct, frozen=True):
    """A secret and the public name of it that tokens carry."""

    kid: str
    secret: bytes

    def __repr__(self) -> str:
        """The name only: secrets do not belong in traces."""
        return f"SigningKey({self.kid})"


def key_of(secret: str) -> SigningKey:
    """The signing key made of a secret text.

    Raises
    ------
    ConfigError
        If it is shorter than 32 bytes.
    """
    plain = secret.strip().encode()
    if len(plain) < LEAST_KEY_BYTES:
        raise ConfigError(f"The token key has {len(plain)} bytes; at least {LEAST_KEY_BYTES} are needed.")
    return SigningKey(hashlib.sha256(b"kid" + plain).hexdigest()[:16], plain)


def load_key(given: str | None, data_dir: Path) -> SigningKey:
    """The operator's key, or the one kept in the data folder, made at the first call and readable by its owner only.

    Raises
    ------
    ConfigError
        If the key is too short, or its file is readable by others.
    """
    if given is not None:
        return key_of(given)
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = data_dir / _FILE
    try:
        made = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if place.stat().st_mode & 0o077:
            raise ConfigError(f"{place} can be read by others; its mode must be 600.") from None
    else:
        with os.fdopen(made, "w") as file:
            file.write(new_secret())
    return key_of(place.read_text())
