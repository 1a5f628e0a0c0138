"""Results that are kept by name: in a folder or an object store, each written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs

from sextant.errors import InputError
from sextant.kit.ids import new_id

_FAILED: Final = (pa.ArrowException, OSError)


class Blobs:
    """A folder, or a prefix of an object store.

    Parameters
    ----------
    place
        A path of this machine, or a URL such as ``s3://bucket/evidence``.

    Raises
    ------
    InputError
        If the URL is of no known kind of store.

    Notes
    -----
    Content lies under the hash of its bytes, and a small reference under the name that was asked for leads to it. Whatever
    is killed in writing leaves the old reference or none; content that is not what its hash says is as good as absent.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = str(place)
        try:
            found: tuple[Any, str] = (
                pa.fs.FileSystem.from_uri(self.place)
                if "://" in self.place
                else (pa.fs.LocalFileSystem(), str(Path(place).absolute()))
            )
        except (pa.ArrowException, ValueError) as error:
            raise InputError(f"{place} is no place to keep results: {error}.", reason="format") from error
        self._system, self._root = found

    def put(self, name: str, content: bytes) -> str:
        """The hash under which the content lies, once both are durable.

        Raises
        ------
        InputError
            If the store takes nothing.
        """
        digest = hashlib.blake2b(content, digest_size=20).hexdigest()
        try:
            self._write(f"content/{digest}", content)
            self._write(f"names/{name}", digest.encode())
        except _FAILED as error:
            raise InputError(f"{self.place} takes no result: {error}.", reason="unwritable") from error
        return digest

    def get(self, name: str) -> bytes | None:
        """What was last put under a name; None where that is nothing, or is damaged."""
        digest = self._read(f"names/{name}")
        if digest is None:
            return None
        content = self._read(f"content/{digest.decode('ascii', 'replace')}")
        if content is None or hashlib.blake2b(content, digest_size=20).hexdigest().encode() != digest:
            return None
        return content

    def has(self, name: str) -> bool:
        """Whether something lies under a name; a cheap question that does not look whether it is damaged."""
        return self._read(f"names/{name}") is not None

    def _read(self, path: str) -> bytes | None:
        full = f"{self._root}/{path}"
        try:
            if self._system.get_file_info([full])[0].type != pa.fs.FileType.File:
                return None
            with self._system.open_input_stream(full) as source:
                content: bytes = source.read()
        except _FAILED:
            return None
        return content

    def _write(self, path: str, content: bytes) -> None:
        full = f"{self._root}/{path}"
        if isinstance(self._system, pa.fs.LocalFileSystem):
            _write_file(Path(full), content)
            return
        # An object appears whole when its upload is completed.
        with self._system.open_output_stream(full) as sink:
            sink.write(content)


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{new_id('part')}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
