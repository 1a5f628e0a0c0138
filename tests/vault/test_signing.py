from __future__ import annotations

from pathlib import Path

import pytest

from sextant.errors import ConfigError
from sextant.vault.signing import key_of, load_key


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = load_key(None, tmp_path / "data")
    assert load_key(None, tmp_path / "data") == first
    assert (tmp_path / "data" / "token.key").stat().st_mode & 0o777 == 0o600
    assert load_key(None, tmp_path / "other") != first


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_key(None, tmp_path)
    (tmp_path / "token.key").chmod(0o644)
    with pytest.raises(ConfigError, match="600"):
        load_key(None, tmp_path)


def test_a_given_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert load_key("k" * 32, tmp_path) == key_of("k" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="31 bytes"):
        key_of("k" * 31)


def test_a_trace_shows_the_name_and_not_the_secret() -> None:
    assert "canary" not in repr(key_of("canary" * 8))
