"""Answers whose own code says whether they are one: an envelope of code, message and data, whatever the status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from sextant.errors import Rejected, Throttled, Unreachable, VenueError
from sextant.venues import decoding
from sextant.venues.wire import UNREADABLE

T = TypeVar("T")


class _Envelope(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, kw_only=True)
class Codes:
    """What the codes of one venue mean.

    Parameters
    ----------
    venue, spoken
        Its name in instruments, and in sentences.
    good
        The code of an answer that is no error.
    rate, rate_s
        Codes that ask for silence, and for how long, seconds.
    busy
        Whether a code is passing.
    reasons
        Reasons of refusals by code.
    """

    venue: str
    spoken: str
    good: str
    rate: frozenset[str]
    rate_s: float
    busy: Callable[[str], bool]
    reasons: Mapping[str, str]

    def refusal(self, status: int, body: bytes) -> VenueError | None:
        """The error that an answer means; None for one that is none, or that states no code."""
        try:
            envelope = _ENVELOPE.decode(body)
        except UNREADABLE:
            return None
        return None if envelope.code == self.good or status >= 500 else self._refused(envelope)

    def answered(self, decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
        """The data of an answer that is no error.

        Raises
        ------
        VenueError
            The error its code stands for, or ``WireError`` when it lacks the documented shape.
        """
        envelope = decoding.decode(_ENVELOPE, body, f"{self.spoken} {what}")
        if envelope.code != self.good:
            raise self._refused(envelope)
        return decoding.decode(decoder, envelope.data, f"{self.spoken} {what}")

    def _refused(self, envelope: _Envelope) -> VenueError:
        message = f"{self.spoken} answered {envelope.code[:20]}: {envelope.msg[:200]}"
        if envelope.code in self.rate:
            return Throttled(message, retry_after_s=self.rate_s, reason="rate", venue=self.venue)
        if self.busy(envelope.code):
            return Unreachable(message, reason="busy", venue=self.venue)
        return Rejected(message, reason=self.reasons.get(envelope.code, "refused"), venue=self.venue)
