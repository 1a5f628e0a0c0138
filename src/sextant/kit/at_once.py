"""A bound on work that mostly waits for nothing: its clock is wound only when it begins to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

_NOTHING: Final = object()


async def at_once_or(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of the work, which has ``seconds`` to come if it has to wait for anything.

    Raises
    ------
    TimeoutError
        If it did not come; the work has been cancelled.

    Notes
    -----
    A timer costs several microseconds to wind and to stop, which is a tenth of an answer that is in memory. The
    first step of the work is made here; what it waits for then is handed on to the task by ``_Rest``.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    async with asyncio.timeout(seconds):
        return cast("T", await _Rest(work, awaited))


class _Rest(Generator[Any, Any, Any]):
    """What is left of a coroutine whose first step was made: it first hands on what that step waits for.

    Parameters
    ----------
    work
        The coroutine.
    awaited
        What it waits for.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> _Rest:
        return self

    def send(self, value: Any) -> Any:
        """The next thing to wait for."""
        awaited, self._awaited = self._awaited, _NOTHING
        return self._work.send(value) if awaited is _NOTHING else awaited

    def throw(self, *error: Any) -> Any:
        """The next thing to wait for after an error, as a cancelled task throws it."""
        self._awaited = _NOTHING
        return self._work.throw(*error)

    def close(self) -> None:
        """End the work."""
        self._work.close()
