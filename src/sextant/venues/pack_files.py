"""Where packs of bars lie: a file, a folder of files, or a URL of an object store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs

from sextant.errors import InputError

ENDINGS: Final = (".parquet", ".feather", ".arrow")
"""Files of a folder that are read."""


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file: where it lies, its length in bytes, and when it was last written, ns UTC."""

    system: Any
    path: str
    size: int
    written_ns: int

    def opened(self) -> Any:
        """The file, open for reading at any place."""
        return self.system.open_input_file(self.path)

    def named(self, words: Sequence[str]) -> str:
        """What the nearest folder ``word=...`` above it says, else its own name up to a dash."""
        *folders, name = PurePosixPath(self.path).parts
        for folder in reversed(folders):
            word, stated, value = folder.partition("=")
            if stated and word in words:
                return value
        return name.split("-")[0]


class Location:
    """A file or a folder of bars.

    Parameters
    ----------
    place
        A path of this machine, or a URL such as ``s3://bucket/bars`` or ``file:///data/bars``.

    Raises
    ------
    InputError
        If the URL is of no known kind of store.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = place
        try:
            found: tuple[Any, str] = (
                pa.fs.FileSystem.from_uri(str(place))
                if "://" in str(place)
                else (pa.fs.LocalFileSystem(), str(Path(place)))
            )
        except (pa.ArrowException, ValueError) as error:
            raise InputError(f"{place} is no place where files lie: {error}.", reason="format") from error
        self._system, self._path = found
        self.name = PurePosixPath(self._path).name

    @property
    def words(self) -> tuple[str, ...]:
        """Lower-case words of its name and of the folder above it, which may say whose bars they are."""
        at = PurePosixPath(self._path)
        return (*at.stem.lower().replace("-", "_").split("_"), at.parent.name.lower())

    def files(self) -> list[PackFile]:
        """Its files in the order of their paths; names that begin with a dot or an underline are none.

        Raises
        ------
        InputError
            If nothing is there, or it cannot be looked at.
        """
        try:
            [found] = self._system.get_file_info([self._path])
            listed = [found]
            if found.type == pa.fs.FileType.Directory:
                listed = self._system.get_file_info(pa.fs.FileSelector(self._path, recursive=True))
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.place} cannot be read: {error}.", reason="format") from error
        if found.type == pa.fs.FileType.NotFound:
            raise InputError(
                f"{self.place} is no Parquet or Feather file: nothing is there.", reason="format"
            )
        kept = [
            PackFile(self._system, info.path, info.size, info.mtime_ns or 0)
            for info in sorted(listed, key=lambda info: info.path)
            if info.type == pa.fs.FileType.File and (info is found or _is_read(info.base_name))
        ]
        if not kept:
            raise InputError(f"{self.place} holds no {', '.join(ENDINGS)} file.", reason="format")
        return kept

    def fingerprint(self) -> str:
        """32 hex digits that change when a file is added, taken away or written again."""
        digest = hashlib.blake2b(digest_size=16)
        for file in self.files():
            digest.update(f"{file.path}\0{file.size}\0{file.written_ns}\n".encode())
        return digest.hexdigest()


def _is_read(name: str) -> bool:
    return name.endswith(ENDINGS) and not name.startswith((".", "_"))
