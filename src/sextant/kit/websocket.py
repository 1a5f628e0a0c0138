"""WebSocket client: a connection within a deadline, whole messages with their time of arrival, and why it ended."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import picows

from sextant.errors import BudgetExceeded, Throttled, Unreachable, VenueError
from sextant.kit.clock import Clock, Deadline, within
from sextant.kit.retry import stated_wait_s

Receive: TypeAlias = Callable[[int, bytes], None]
"""``(receive_ns, message)``, called in the order of arrival, never concurrently."""

NO_CLOSE_FRAME: Final = 1006
TOO_BIG: Final = 1009
NORMAL: Final = 1000
MESSAGE_BYTES: Final = 2 * 1024 * 1024
_SHOWN: Final = 200  # characters of a strange answer that an error may quote
REFUSED_WAIT_S: Final = 60.0  # silence after 403 or 429 without a stated time


@dataclass(frozen=True, slots=True)
class Closed:
    """How a connection ended.

    Parameters
    ----------
    code
        Of the first close frame, the peer's or ours; 1006 when the connection broke without either.
    reason
        The words of that frame, at most 123 bytes by the protocol.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """How a socket is opened.

    Parameters
    ----------
    message_bytes
        Largest message, fragments together; a larger one closes the connection with 1009.
    tls
        Context of wss; None for the system's, which checks names and dates.
    """

    message_bytes: int = MESSAGE_BYTES
    tls: ssl.SSLContext | None = None


class Connection:
    """An open socket; made by ``connect``."""

    def __init__(self, transport: picows.WSTransport, listener: _Listener) -> None:
        self._transport = transport
        self._listener = listener

    def send(self, message: bytes) -> None:
        """Send one text message; nothing happens when the connection has ended."""
        if not self._transport.is_disconnected:
            self._transport.send(picows.WSMsgType.TEXT, message)

    def abort(self) -> None:
        """End the connection at once, without waiting for a peer that may be gone."""
        self._transport.disconnect(graceful=False)

    def close(self, code: int = NORMAL) -> None:
        """Tell the peer that the connection ends, then end it."""
        if not self._transport.is_disconnected:
            self._transport.send_close(picows.WSCloseCode(code))
            self._transport.disconnect()

    async def closed(self) -> Closed:
        """How it ended, when it has ended.

        Raises
        ------
        Exception
            Whatever the receiver raised: it ends the connection, and hiding it would look like a quiet market.
        """
        # A protocol error is our own refusal of what the peer sent; the ending carries its code.
        with contextlib.suppress(picows.WSProtocolError):
            await self._transport.wait_disconnected()
        return self._listener.ending


class _Listener(picows.WSListener):
    """Joins fragments and hands over whole messages."""

    def __init__(self, receive: Receive, clock: Clock, message_bytes: int) -> None:
        self._receive = receive
        self._now_ns = clock.now_ns
        self._message_bytes = message_bytes
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._broken = False
        self.ending = Closed(NO_CLOSE_FRAME, "")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take one frame off the wire; pings are answered below."""
        kind = frame.msg_type
        if kind == picows.WSMsgType.CLOSE:
            transport.disconnect()
        elif kind in _CONTROL or transport.is_close_frame_sent:
            return  # what still arrives after our own close frame is not part of the conversation
        elif frame.fin and not self._parts:
            self._hand_over(frame.get_payload_as_bytes())
        else:
            self._join(frame)

    def _join(self, frame: picows.WSFrame) -> None:
        self._parts.append(frame.get_payload_as_bytes())
        self._parts_bytes += frame.payload_size
        if self._parts_bytes > self._message_bytes:
            raise picows.WSProtocolError(
                picows.WSCloseCode.MESSAGE_TOO_BIG, f"A message exceeds {self._message_bytes} bytes."
            )
        if frame.fin:
            message = b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            self._hand_over(message)

    def _hand_over(self, message: bytes) -> None:
        if self._broken:
            return
        self._broken = True  # stays so when the receiver raises: nothing more is handed to it
        self._receive(self._now_ns(), message)
        self._broken = False

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Remember how it ended."""
        # The package's types do not say that this is None until a close frame, and the code a plain integer.
        handshake: Any = transport.close_handshake
        if handshake is None:
            return
        # Whoever sent its close frame first ended the connection; the other only echoed.
        first = handshake.recv if handshake.recv_then_sent or handshake.sent is None else handshake.sent
        self.ending = Closed(int(first.code) or NO_CLOSE_FRAME, first.reason or "")


_CONTROL: Final = (picows.WSMsgType.PING, picows.WSMsgType.PONG)


async def connect(
    url: str, receive: Receive, clock: Clock, deadline: Deadline, settings: SocketSettings | None = None
) -> Connection:
    """An open connection whose messages go to ``receive``.

    Parameters
    ----------
    url
        ``ws`` or ``wss``; redirects are not followed.
    receive
        Called for each whole message, text or binary, as raw bytes.
    clock
        Stamps arrivals and judges the deadline.
    deadline
        Of name resolution, connection, TLS and handshake together.
    settings
        Bounds and TLS.

    Raises
    ------
    Unreachable
        reason dns, tls, connect, handshake or timeout.
    Throttled
        The host answered the handshake with 403, 418 or 429; carries ``status`` and the start of the ``body``.
    """
    chosen = settings or SocketSettings()
    opening = picows.ws_connect(
        lambda: _Listener(receive, clock, chosen.message_bytes),
        url,
        ssl_context=chosen.tls,
        websocket_handshake_timeout=None,  # the deadline is the only timer
        max_frame_size=chosen.message_bytes,
        max_redirects=0,
    )
    try:
        transport, listener = await within(clock, deadline, opening, url)
    except BudgetExceeded as error:
        raise Unreachable(
            f"{url} did not open within {deadline.seconds:g} s.", reason="timeout", url=url
        ) from error
    except (picows.WSError, OSError) as error:
        raise _failure(url, error, clock.now_ns()) from error
    if not isinstance(listener, _Listener):
        raise Unreachable(f"{url}: another listener was attached.", reason="handshake", url=url)
    return Connection(transport, listener)


def _failure(url: str, error: Exception, now_ns: int) -> VenueError:
    handshake = error if isinstance(error, picows.WSHandshakeError) else None
    response = None if handshake is None else handshake.response
    message = f"{url} did not open: {str(error)[:_SHOWN] or type(error).__name__}."
    if handshake is not None and response is not None and response.status in (403, 418, 429):
        wait_s = stated_wait_s(response.headers.get("Retry-After"), now_ns) or REFUSED_WAIT_S
        return Throttled(
            message,
            retry_after_s=wait_s,
            reason=f"http_{int(response.status)}",
            url=url,
            status=int(response.status),
            body=(handshake.raw_body or b"")[:_SHOWN],
        )
    return Unreachable(message, reason=_cause(error), url=url)


def _cause(error: Exception) -> str:
    """The stable word for a failure to open."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, picows.WSError):
        return "handshake"
    if isinstance(error, socket.gaierror):
        return "dns"
    return "connect"
