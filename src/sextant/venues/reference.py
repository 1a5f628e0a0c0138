"""The contract of a source of reference prices: what it is asked, what it says, and what is refused of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from sextant.errors import VenueError
from sextant.model.times import SECOND_NS
from sextant.venues.broker import Policy
from sextant.venues.port import Request

Reason = Literal["unknown_asset", "bad_number", "stale", "no_source"]

OLDEST_S: Final = 3_600.0  # a price that its source has not renewed for an hour is no price of now
AHEAD_S: Final = 60.0  # clocks of a source and of this machine may differ so much

_NUMBER: Final = re.compile(r"\d{1,18}(\.\d{1,30})?([eE][+-]?\d{1,2})?")
_LEAST: Final = Decimal("1e-18")
_MOST: Final = Decimal("1e12")


@dataclass(frozen=True, slots=True)
class ReferencePrice:
    """What an asset is worth, according to one source.

    Parameters
    ----------
    asset
        In capitals.
    usd
        US dollars for one unit, above 0, exactly as the source wrote it.
    source
        Who says so.
    as_of_ns
        When it was true at the source, nanoseconds UTC.
    receive_ns
        When the answer arrived.
    """

    asset: str
    usd: Decimal
    source: str
    as_of_ns: int
    receive_ns: int

    def age_s(self, now_ns: int) -> float:
        """Seconds since it was true at its source; 0 where the source's clock is ahead."""
        return max(0, now_ns - self.as_of_ns) / SECOND_NS


@dataclass(frozen=True, slots=True)
class Absent:
    """An asset without a price: why in a word, and in a sentence."""

    asset: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of some assets: each is in one of the two."""

    prices: tuple[ReferencePrice, ...] = ()
    absent: tuple[Absent, ...] = ()


def _no_headers(_: str) -> Mapping[str, str]:
    """Nothing: the host knows nobody."""
    return {}


@dataclass(frozen=True, slots=True)
class Tier:
    """One door of a source.

    Parameters
    ----------
    name
        As the source calls the plan.
    url
        Scheme and host.
    policy
        How it may be asked.
    setting
        Name of the setting that holds its key; empty where none is needed.
    headers
        A key to the headers that carry it.
    """

    name: str
    url: str
    policy: Policy
    setting: str = ""
    headers: Callable[[str], Mapping[str, str]] = _no_headers


def _everything(_: str) -> bool:
    """A source that can be asked for any asset."""
    return True


def _no_request(_: Sequence[str]) -> Request:
    """The question of a source that is not asked."""
    return Request("")


def _nothing(_: bytes, __: int, ___: Sequence[str]) -> Told:
    """What a source says that is not asked."""
    return Told()


def _no_refusal(_: int, __: bytes) -> VenueError | None:
    """No answer has a meaning of its own."""
    return None


@dataclass(frozen=True, slots=True)
class PriceSource:
    """A source of reference prices.

    Parameters
    ----------
    name
        Of the source, and of its module in the library.
    tiers
        Best first; the first whose key is configured, or which needs none, is used.
    request
        Assets in capitals, at most ``batch``, to the question for their prices in dollars.
    parse
        Body, time of arrival and the assets asked for, to what is known of them.
    refusal
        As of a venue: status and body to the error that they mean at this source.
    batch
        Most assets of one question.
    cadence_s
        Seconds after which the source renews its prices; earlier it is not asked again.
    knows
        Whether it can be asked for an asset at all.
    retired
        Why it is not asked any more; empty while it is.
    known_gaps
        What it cannot do, in sentences.
    """

    name: str
    tiers: tuple[Tier, ...] = ()
    request: Callable[[Sequence[str]], Request] = _no_request
    parse: Callable[[bytes, int, Sequence[str]], Told] = _nothing
    refusal: Callable[[int, bytes], VenueError | None] = _no_refusal
    batch: int = 1
    cadence_s: float = 60.0
    knows: Callable[[str], bool] = _everything
    retired: str = ""
    known_gaps: tuple[str, ...] = ()


def price_of(text: str) -> Decimal | None:
    """A price as it is written; None for what is no number of a market.

    Notes
    -----
    Refused: nothing, signs, names of infinity, more than 18 digits before or 30 behind the point, and whatever
    is not in 1e-18..1e12 dollars.

    Examples
    --------
    >>> price_of("60310.6888208343493939"), price_of("1.7e-7"), price_of("-1"), price_of("NaN"), price_of("1e400")
    (Decimal('60310.6888208343493939'), Decimal('1.7E-7'), None, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text)
    return value if _LEAST <= value <= _MOST else None


def judged(asset: str, text: str, source: str, as_of_ns: int, receive_ns: int) -> ReferencePrice | Absent:
    """The price that a source states, or why it is none: no number, of no time, or too old."""
    usd = price_of(text)
    if usd is None:
        return Absent(asset, "bad_number", f"{source} says '{text[:40]}'.")
    age_s = (receive_ns - as_of_ns) / SECOND_NS
    if age_s < -AHEAD_S:
        return Absent(asset, "stale", f"{source} dates it {-age_s:.0f} s into the future.")
    if age_s > OLDEST_S:
        return Absent(asset, "stale", f"{source} has not renewed it for {age_s:.0f} s.")
    return ReferencePrice(asset, usd, source, as_of_ns, receive_ns)


def gathered(asked: Sequence[str], source: str, found: Mapping[str, ReferencePrice | Absent]) -> Told:
    """What is known of every asset that was asked for; of those not found that the source does not know them."""
    every = [
        found.get(asset, Absent(asset, "unknown_asset", f"{source} does not know {asset}."))
        for asset in dict.fromkeys(asked)
    ]
    return Told(
        tuple(each for each in every if isinstance(each, ReferencePrice)),
        tuple(each for each in every if isinstance(each, Absent)),
    )
