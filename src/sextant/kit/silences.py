"""Silences that outlive a process and hold for all processes of a machine: a file of scopes and end times."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from sextant.kit import log
from sextant.kit.clock import Clock

_SECOND_NS: Final = 1_000_000_000
_LOG: Final = log.get("kit")


class Silent(msgspec.Struct, frozen=True):
    """Until when a scope is silent, nanoseconds UTC, and why."""

    until_ns: int
    reason: str


_DECODER: Final = msgspec.json.Decoder(dict[str, Silent])


class Silences:
    """Scopes that must not be called, with the time until when.

    Parameters
    ----------
    path
        The file; its folder must exist. A file beside it with ``.lock`` serialises writers.
    clock
        Of the end times, which are of the wall clock because other processes read them. Within a process the
        monotonic clock counts as well, so that a clock that is put forward ends no silence here.

    Notes
    -----
    A damaged file is told in the log, counts as empty and is replaced by the next writer; what this process
    asked for holds nevertheless.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._own: dict[str, tuple[int, str]] = {}
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Silent] = {}

    def ask(self, scope: str, seconds: float, reason: str) -> None:
        """Be silent towards a scope for ``seconds`` from now; a shorter wish never shortens a longer one."""
        span_ns = round(seconds * _SECOND_NS)
        until_ns = self._clock.monotonic_ns() + span_ns
        if until_ns > self._own.get(scope, (0, ""))[0]:
            self._own[scope] = (until_ns, reason)
        now_ns = self._clock.now_ns()
        with self._locked():
            held = {name: item for name, item in self._read().items() if item.until_ns > now_ns}
            if scope not in held or held[scope].until_ns < now_ns + span_ns:
                held[scope] = Silent(now_ns + span_ns, reason)
            self._write(held)

    def remaining(self, scope: str) -> tuple[float, str]:
        """Seconds until a scope may be called and why not before; 0 and nothing when it may be called now."""
        own_ns, own_reason = self._own.get(scope, (0, ""))
        own_s = max(0, own_ns - self._clock.monotonic_ns()) / _SECOND_NS
        told = self._read().get(scope)
        told_s = 0.0 if told is None else max(0, told.until_ns - self._clock.now_ns()) / _SECOND_NS
        if told is not None and told_s > own_s:
            return told_s, told.reason
        return (own_s, own_reason) if own_s > 0 else (0.0, "")

    def of(self, scope: str) -> ScopeSilence:
        """The silence of one scope."""
        return ScopeSilence(self, scope)

    def _read(self) -> dict[str, Silent]:
        """The content of the file, read again only when it changed."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._known = None, {}
            return self._known
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._known = _DECODER.decode(self._path.read_bytes())
            except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
                _LOG.warning("silences.damaged", file=self._path.name, detail=str(error)[:200])
                self._known = {}
        return self._known

    def _write(self, held: dict[str, Silent]) -> None:
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(held))
        fresh.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(self._path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class ScopeSilence:
    """The silence of one scope.

    Parameters
    ----------
    silences
        Among which it is kept.
    scope
        Whose it is.
    """

    def __init__(self, silences: Silences, scope: str) -> None:
        self._silences = silences
        self._scope = scope

    def ask(self, seconds: float, reason: str) -> None:
        """Be silent for ``seconds`` from now, in every process."""
        self._silences.ask(self._scope, seconds, reason)

    def remaining(self) -> tuple[float, str]:
        """Seconds until the scope may be called and why not before."""
        return self._silences.remaining(self._scope)
