"""A shared store that may vanish: every call ends within its budget, and none is made while the store rests."""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from sextant.errors import ConfigError, StoreAway
from sextant.kit import log
from sextant.kit.breaker import Breaker, BreakerRules
from sextant.kit.clock import Clock
from sextant.kit.health import Reading

BUDGET_S: Final = 0.1  # faults.md R2: a call that takes longer is skipped
REST: Final = BreakerRules(
    failures=3, open_s=2.0
)  # so a store that hangs costs three calls, then one in two seconds
SCHEMES: Final = ("redis", "rediss", "unix", "valkey", "valkeys")
CONNECTIONS: Final = 32

Word = str | bytes | int | float

_WORDS: Final = {"OutOfMemoryError": "OOM", "ReadOnlyError": "READONLY", "NoPermissionError": "NOPERM"}
"""First words of refusals that the client cuts off, by the name of its error."""

_CANNOT: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "MISCONF", "NOAUTH", "NOPERM", "WRONGPASS"})
"""First words of refusals that say nothing of the command."""

_LOG: Final = log.get("bus")


class Bus:
    """A Redis or Valkey.

    Parameters
    ----------
    url
        ``redis://[user:password@]host:port/number``; the password is never told.
    clock
        Of the rest after failures.
    budget_s
        How long a call may take.

    Raises
    ------
    ConfigError
        If the URL names no such store.
    """

    def __init__(self, url: str, clock: Clock, budget_s: float = BUDGET_S) -> None:
        if urlsplit(url).scheme not in SCHEMES:
            raise ConfigError(f"SEXTANT_REDIS_URL begins with none of {', '.join(SCHEMES)}.")
        # Most installations have no such store and shall not pay for its client.
        self._errors = importlib.import_module("redis.exceptions")
        client = importlib.import_module("redis.asyncio")
        retry = importlib.import_module("redis.asyncio.retry")
        backoff = importlib.import_module("redis.backoff")
        try:
            self._client: Any = client.Redis.from_url(
                url.replace("valkey", "redis", 1),
                max_connections=CONNECTIONS,
                protocol=2,
                retry=retry.Retry(backoff.NoBackoff(), 0),
            )
        except ValueError:
            raise ConfigError("SEXTANT_REDIS_URL is no address of a Redis or Valkey.") from None
        self._client.response_callbacks.clear()  # answers as the store gives them
        self._budget_s = budget_s
        self._breaker = Breaker(clock, REST)
        self._counts: Counter[str] = Counter()
        self._told = False

    async def call(self, *command: Word, wait_s: float = 0.0) -> Any:
        """What the store answers to one command.

        Parameters
        ----------
        wait_s
            How long the command itself may wait for something; added to its budget.

        Raises
        ------
        StoreAway
            If no good answer came within the budget, or the store rests.
        """
        if not self._breaker.enter():
            self._counts["skipped"] += 1
            raise StoreAway("The shared store rests after failures.", reason="resting")
        judged = False
        try:
            answer = await _not_swallowing(self._bounded(self._client.execute_command(*command), wait_s))
            judged = True
        except StoreAway as error:
            judged = True
            self._fail(error)
            raise
        except self._errors.ResponseError as refused:
            judged = True
            raise self._refused(refused) from None
        finally:
            if not judged:
                self._breaker.leave()
        self._breaker.succeed()
        self._counts["answered"] += 1
        if self._told:
            self._told = False
            _LOG.info("store.back")
        return answer

    async def script(self, text: str, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        """What a script answers that runs in the store as one step; raises :class:`StoreAway`."""
        return await self.call("EVAL", text, len(keys), *keys, *arguments)

    async def replace(self, key: str) -> None:
        """Take away what lies under a key of ours and is not ours, and count it; raises :class:`StoreAway`."""
        self._counts["replaced"] += 1
        _LOG.warning("store.key_replaced", key=key)
        await self.call("DEL", key)

    def miss(self, what: str) -> None:
        """Count something unreadable under a key of ours, which counts as absent."""
        self._counts["garbage"] += 1
        _LOG.warning("store.garbage", what=what)

    @property
    def away(self) -> bool:
        """Whether calls are skipped now, or may be tried one at a time."""
        return self._breaker.circuit != "closed"

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls by end, keys replaced and garbage met."""
        return dict(self._counts)

    async def probe(self) -> Reading:
        """Degraded while the store does not answer: nothing is lost, but limits are local and events stand still."""
        try:
            await self.call("PING")
        except StoreAway as error:
            return Reading("degraded", f"The shared store does not answer ({error.reason}).")
        return Reading("healthy")

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _bounded(self, answer: Awaitable[Any], wait_s: float) -> Any:
        try:
            async with asyncio.timeout(self._budget_s + wait_s):
                return await answer
        except TimeoutError:
            raise StoreAway(f"No answer within {self._budget_s + wait_s:g} s.", reason="timeout") from None
        except (self._errors.ConnectionError, self._errors.TimeoutError, OSError) as error:
            raise StoreAway(
                f"The shared store is unreachable ({type(error).__name__}).", reason="unreachable"
            ) from None

    def _refused(self, error: Exception) -> StoreAway:
        """A refusal: the store is there, but where it says that it cannot work just now it rests too."""
        first = str(error).partition(" ")[0]
        word = _WORDS.get(type(error).__name__) or (first if first.isupper() else "ERR")
        away = StoreAway(f"The shared store refused ({word}): {str(error)[:200]}", reason=word)
        if word in _CANNOT:
            self._fail(away)
        else:
            self._breaker.succeed()
            self._counts["refused"] += 1
        return away

    def _fail(self, error: StoreAway) -> None:
        self._counts["failed"] += 1
        self._breaker.fail(error.reason or error.code)
        if self._breaker.circuit == "open" and not self._told:
            self._told = True
            _LOG.warning("store.away", reason=error.reason)


async def _not_swallowing(answer: Awaitable[Any]) -> Any:
    """The answer, unless its task was cancelled meanwhile: the client's library loses some cancellations."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        return await answer
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
