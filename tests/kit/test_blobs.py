from __future__ import annotations

from pathlib import Path

import pytest

from sextant.errors import InputError
from sextant.kit.blobs import Blobs


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("url", [False, True], ids=["path", "url"])
def test_what_was_put_is_read_back_and_the_newest_counts(tmp_path: Path, url: bool) -> None:
    store = Blobs(tmp_path.as_uri() if url else tmp_path)
    assert store.get("a/1") is None
    assert not store.has("a/1")
    store.put("a/1", b"first")
    store.put("a/1", b"second")
    assert store.get("a/1") == b"second"
    assert store.has("a/1")


def test_equal_content_is_kept_once_under_its_hash(tmp_path: Path) -> None:
    store = Blobs(tmp_path)
    assert store.put("a", b"same") == store.put("b", b"same")
    assert len(files_of(tmp_path / "content")) == 1


@pytest.mark.parametrize("damage", [b"", b"conten", b"other content"], ids=["emptied", "cut", "changed"])
def test_damaged_content_is_as_good_as_absent(tmp_path: Path, damage: bytes) -> None:
    store = Blobs(tmp_path)
    store.put("a", b"content")
    (content,) = files_of(tmp_path / "content")
    content.write_bytes(damage)
    assert store.get("a") is None
    store.put("a", b"content")
    assert store.get("a") == b"content"


def test_a_reference_without_content_is_as_good_as_absent(tmp_path: Path) -> None:
    store = Blobs(tmp_path)
    store.put("a", b"content")
    (content,) = files_of(tmp_path / "content")
    content.unlink()
    assert store.get("a") is None


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    store = Blobs(tmp_path)
    store.put("a", b"content")
    assert [path.name.startswith(".") for path in files_of(tmp_path)] == [False, False]


def test_a_place_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="takes no result"):
        Blobs(tmp_path / "file").put("a", b"content")
    with pytest.raises(InputError, match="ftp://"):
        Blobs("ftp://host/results")
