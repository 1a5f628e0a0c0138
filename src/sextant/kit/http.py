"""REST reads: one total deadline, a bounded body, no redirects, and every failure named."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import aiohttp

from sextant.errors import (
    BudgetExceeded,
    NonceRefused,
    Rejected,
    Throttled,
    Unreachable,
    VenueError,
    WireError,
)
from sextant.kit.clock import Clock, Deadline, within
from sextant.kit.metrics import CallEnd
from sextant.kit.rate_limit import Silence
from sextant.kit.retry import Retrying, stated_wait_s

Method = Literal["GET", "POST"]

BODY_BYTES: Final = 8 * 1024 * 1024
UNSTATED_WAIT_S: Final = 5.0  # silence kept after a refusal that states no time
BAN_S: Final = 120.0  # the least that hosts which answer 418 ban an address for
_CHUNK_BYTES: Final = 64 * 1024
_SHOWN: Final = 200  # characters of a strange body that an error may quote
_CONNECTIONS: Final = 32  # per client; a client has one host


Observe: TypeAlias = Callable[[str, CallEnd, float], None]
"""Takes ``(op, end, seconds)`` of a call, where the op is the last word of its path."""


Headers: TypeAlias = Callable[[], Mapping[str, str]]
"""Makes the headers of one attempt."""

_Question: TypeAlias = tuple[Method, str, Sequence[tuple[str, str]], Headers]
"""Method, path, query and headers."""


def _no_headers() -> Mapping[str, str]:
    """Nothing besides what every request carries."""
    return {}


def _general(_: int, __: bytes) -> VenueError | None:
    """No answer has a meaning of its own."""
    return None


def _unobserved(_: str, __: CallEnd, ___: float) -> None:
    """Nobody counts the calls."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How one host is asked.

    Parameters
    ----------
    user_agent
        Sent with every request.
    body_bytes
        Most bytes of a body, counted after decompression.
    refusal
        ``(status, body)`` to the error that an answer means at this host, 200 included, because some hosts
        state their errors in the body; None for the general meaning.
    tls
        Context of https; None for the system's, which checks names and dates.
    silence
        What else calls this host shares it; None for a silence of its own.
    observe
        Told how each call ended; must return at once.
    elsewhere
        Base URL by path prefix, where another host of the same owner answers.
    """

    user_agent: str = "sextant"
    body_bytes: int = BODY_BYTES
    refusal: Callable[[int, bytes], VenueError | None] = field(default=_general)
    tls: ssl.SSLContext | None = None
    silence: Silence | None = None
    observe: Observe = field(default=_unobserved)
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, when it was complete (nanoseconds UTC), and the headers by lower-case name."""

    body: bytes
    receive_ns: int
    headers: dict[str, str]


class RestClient:
    """Reads from one host; opened by ``async with``, which closes its connections.

    Parameters
    ----------
    base_url
        Scheme, host and path prefix.
    retrying
        How a failed read is repeated; its clock judges deadlines and silence.
    settings
        How the host is asked.
    """

    def __init__(self, base_url: str, retrying: Retrying, settings: HttpSettings | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._retrying = retrying
        self._clock: Clock = retrying.clock
        self._settings = settings or HttpSettings()
        self._session: aiohttp.ClientSession | None = None
        self._silence = self._settings.silence or Silence(self._clock)

    async def __aenter__(self) -> Self:
        """The opened client."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._settings.tls or True),
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is the only timer
            headers={"User-Agent": self._settings.user_agent, "Accept-Encoding": "gzip"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        deadline: Deadline,
        headers: Headers = _no_headers,
    ) -> Answer:
        """The whole answer to a read.

        Parameters
        ----------
        path
            Below the base URL, with its leading slash.
        query
            Names and values in the order to send.
        deadline
            Of the read and its repeats together: connecting, waiting and every byte of the body.
        headers
            Made anew for each attempt, since signatures carry its time.

        Raises
        ------
        Unreachable
            No whole answer: dns, tls, connect, reset, truncated, timeout, or a 5xx.
        Throttled
            The host asked for silence, now or earlier; while it lasts no call is made.
        Rejected
            Another refusal, or a redirect, which is never followed.
        WireError
            The body is no data: an HTML page, an unknown encoding, or more than the allowed bytes.
        """
        return await self._retrying.run(
            lambda: self._attempt(("GET", path, query, headers), deadline), deadline
        )

    async def post(self, path: str, deadline: Deadline) -> Answer:
        """The whole answer to a question that the host wants to be posted, without a body; as :meth:`get`.

        It is repeated as a read is, so it must change nothing at the host.
        """
        return await self._retrying.run(
            lambda: self._attempt(("POST", path, (), _no_headers), deadline), deadline
        )

    async def _attempt(self, question: _Question, deadline: Deadline) -> Answer:
        silent_s = self._silence.remaining_s()
        if silent_s > 0:
            raise Throttled(self._silence.reason, retry_after_s=silent_s, reason="silence")
        begun_ns = self._clock.monotonic_ns()
        end: CallEnd | None = None
        try:
            answer = await self._call(question, deadline)
            end = "ok"
        except VenueError as error:
            end = call_end(error)
            raise
        finally:
            if end is not None:
                self._settings.observe(op_of(question[1]), end, (self._clock.monotonic_ns() - begun_ns) / 1e9)
        return answer

    async def _call(self, question: _Question, deadline: Deadline) -> Answer:
        method, path, query, headers = question
        elsewhere = self._settings.elsewhere.items()
        url = next((base for prefix, base in elsewhere if path.startswith(prefix)), self._base_url) + path
        try:
            return await within(self._clock, deadline, self._ask((method, url, query, headers)), path)
        except BudgetExceeded as error:
            raise Unreachable(
                f"{url} did not answer within {deadline.seconds:g} s.", reason="timeout", url=url
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(
                f"{url} did not answer: {str(error)[:_SHOWN] or type(error).__name__}.",
                reason=_cause(error),
                url=url,
            ) from error
        except Throttled as error:
            self._silence.ask(error.retry_after_s, error.message)
            raise

    async def _ask(self, question: _Question) -> Answer:
        method, url, query, headers = question
        if self._session is None:
            raise Unreachable(f"The client of {self._base_url} is closed.", reason="closed")
        asked = self._session.request(method, url, params=query, headers=headers(), allow_redirects=False)
        async with asked as response:
            body = await self._read(response)
            told = {name.lower(): value for name, value in response.headers.items()}
            receive_ns = self._clock.now_ns()
            refused = self._settings.refusal(response.status, body)
            if refused is None and response.status != 200:
                refused = self._refused(response.status, body, told, url)
            if isinstance(refused, Throttled):
                refused.told = told
            if refused is not None:
                raise refused
            if response.content_type == "text/html" or body[:256].lstrip()[:1] == b"<":
                raise WireError(
                    f"{url} answered a page, not data: {_quoted(body)}", reason="bad_body", field=""
                )
            return Answer(body, receive_ns, told)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The decompressed body; decompression stops at the limit, whatever the body claims to hold."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "deflate"):
            raise WireError(
                f"{response.url} answered in the encoding '{encoding[:40]}'.", reason="bad_body", field=""
            )
        unpack = None if encoding == "identity" else zlib.decompressobj(wbits=47)  # gzip or zlib, by header
        limit = self._settings.body_bytes
        body = bytearray()
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body += chunk if unpack is None else unpack.decompress(chunk, limit + 1 - len(body))
                if len(body) > limit:
                    raise WireError(
                        f"{response.url} answered more than {limit} bytes.", reason="too_large", field=""
                    )
        except zlib.error as error:
            raise WireError(f"{response.url}: {error}.", reason="bad_body", field="") from error
        if unpack is not None and not unpack.eof:
            raise Unreachable(f"{response.url}: the compressed body ended early.", reason="truncated")
        return bytes(body)

    def _refused(self, status: int, body: bytes, headers: dict[str, str], url: str) -> VenueError:
        wait_s = stated_wait_s(headers.get("retry-after"), self._clock.now_ns())
        message = f"{url} answered {status}: {_quoted(body)}"
        if status in (418, 429):
            unstated_s = BAN_S if status == 418 else UNSTATED_WAIT_S
            return Throttled(message, retry_after_s=wait_s or unstated_s, reason=f"http_{status}")
        if status >= 500:
            return Unreachable(message, reason=f"http_{status}", retry_after_s=wait_s)
        if 300 <= status < 400:
            return Rejected(message, reason="redirect", location=headers.get("location", "")[:_SHOWN])
        return Rejected(message, reason=f"http_{status}")


def op_of(path: str) -> str:
    """The last plain word of a path, which names an operation and never an instrument.

    Examples
    --------
    >>> op_of("/0/public/Depth"), op_of("/products/BTC-USD/book"), op_of("/products/BTC-USD")
    ('Depth', 'book', 'products')
    """
    words = [word for word in path.split("/") if word.isalpha() or word.replace("_", "a").isalpha()]
    return words[-1] if words else "other"


def call_end(error: VenueError) -> CallEnd:
    """How a call ended that failed so."""
    if isinstance(error, NonceRefused):
        return "nonce_refused"
    if isinstance(error, Throttled):
        return "rate_limited"
    if isinstance(error, WireError):
        return "bad_body"
    if isinstance(error, Unreachable):
        reason = error.reason or ""
        return (
            "timeout" if reason == "timeout" else "server_error" if reason.startswith("http_") else "network"
        )
    return "rejected"


def _cause(error: BaseException) -> str:
    """The stable word for a failure below HTTP; the more special classes come first."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "tls"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "truncated"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect"
    return "reset"


def _quoted(body: bytes) -> str:
    """The beginning of a body, safe to show in a log line."""
    return ascii(body[:_SHOWN].decode("utf-8", "replace"))
