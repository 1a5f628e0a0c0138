from __future__ import annotations

from sextant.model.credentials import Credentials


def test_neither_key_nor_secret_is_ever_printed() -> None:
    credentials = Credentials("bybit", "the-key", "the-secret", "the-passphrase")
    for text in (repr(credentials), str(credentials), f"{credentials}", f"{(credentials,)}"):
        assert text in ("Credentials(bybit)", "(Credentials(bybit),)")
