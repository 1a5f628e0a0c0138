"""Reference prices from several sources in an order: one shared fetch, penalties for who failed, and the age of every price."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sextant.errors import BudgetExceeded, ConfigError, InputError, VenueError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline, within
from sextant.kit.http import Answer, HttpSettings, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.retry import Backoff, Fraction, Retrying
from sextant.kit.silences import Silences
from sextant.venues.asking import SILENCES
from sextant.venues.broker import Broker, Call, VenueState
from sextant.venues.reference import OLDEST_S, Absent, PriceSource, ReferencePrice, Tier, Told

SOURCE_S: Final = 5.0  # one source may take so long, so that the next one has its turn
PENALTY: Final = Backoff(first_s=30.0, longest_s=900.0)
MOST_ASSETS: Final = 2_000
"""Assets of one question, and prices that are kept."""

_ASSET: Final = re.compile(r"[A-Z0-9]{1,20}")
_SECOND_NS: Final = 1_000_000_000
_LOG: Final = log.get("venues")


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as health pages show it: the plan that is used, and its state."""

    name: str
    tier: str
    state: VenueState


class Door:
    """One source that may be asked.

    Parameters
    ----------
    source, tier
        Who is asked, and under which plan.
    key
        Its key; empty where none is needed.
    client, broker
        How it is asked, and when it may be.
    """

    def __init__(self, source: PriceSource, tier: Tier, key: str, client: RestClient, broker: Broker) -> None:
        self.source = source
        self.tier = tier
        self._key = key
        self._client = client
        self._broker = broker

    async def told(self, assets: Sequence[str], deadline: Deadline) -> Told:
        """What the source says of the assets, in as many questions as it needs.

        Raises
        ------
        VenueError
            If it may not be asked now, does not answer, or answers no data.
        """
        prices: list[ReferencePrice] = []
        absent: list[Absent] = []
        for first in range(0, len(assets), self.source.batch):
            part = assets[first : first + self.source.batch]
            question = self.source.request(part)

            async def work() -> Answer:
                return await self._client.get(question.path, question.query, deadline, self._headers)  # noqa: B023  # awaited at once

            # Nothing else is asked of these hosts, so that nothing need be left for what is more important.
            call = Call(question.path, "account", {"key": self.tier.name} if self.tier.setting else {})
            answer = await self._broker.run(call, deadline, work)
            told = self.source.parse(answer.body, answer.receive_ns, part)
            prices += told.prices
            absent += told.absent
        return Told(tuple(prices), tuple(absent))

    def state(self) -> SourceState:
        """The source as it is now."""
        state = self._broker.state()
        if self.tier.setting and self._broker.paused(self.tier.name):
            state = VenueState("needs_key", f"{self.tier.setting} was refused", None, state.waiting)
        return SourceState(self.source.name, self.tier.name, state)

    def _headers(self) -> Mapping[str, str]:
        return self.tier.headers(self._key)


class Penalties:
    """Who failed stands behind the others for a while, the longer the oftener it failed in a row.

    Parameters
    ----------
    clock
        Whose monotonic time counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._until_ns: dict[str, int] = {}

    def ordered(self, names: Sequence[str]) -> list[str]:
        """The names, those without a penalty first; otherwise in the given order."""
        now_ns = self._clock.monotonic_ns()
        return sorted(names, key=lambda name: self._until_ns.get(name, 0) > now_ns)

    def fail(self, name: str) -> None:
        """Let a name stand back."""
        failures = self._failures.get(name, 0)
        wait_s = PENALTY.wait_s(failures, lambda: 1.0)
        self._failures[name] = failures + 1
        self._until_ns[name] = self._clock.monotonic_ns() + round(wait_s * _SECOND_NS)

    def succeed(self, name: str) -> None:
        """Forgive a name."""
        self._failures.pop(name, None)
        self._until_ns.pop(name, None)


class PriceDesk:
    """Gives prices of assets in dollars.

    Parameters
    ----------
    clock
        Of ages and waits.
    doors
        The sources that may be asked, in the order of preference.
    closed
        The others: retired, or without the key that they need.

    Notes
    -----
    A price is kept until its source renews it; when nobody answers, one of up to an hour is given with its age.
    Whoever asks while another's question is under way waits for that answer.
    """

    def __init__(self, clock: Clock, doors: Sequence[Door], closed: Sequence[SourceState] = ()) -> None:
        self._clock = clock
        self._doors = {door.source.name: door for door in doors}
        self._closed = tuple(closed)
        self._penalties = Penalties(clock)
        self._kept: dict[str, ReferencePrice] = {}
        self._asking = asyncio.Lock()

    async def prices(self, assets: Sequence[str], deadline: Deadline) -> Told:
        """What is known of the assets, in their order without duplicates.

        Raises
        ------
        InputError
            If an asset is not written in 1 to 20 letters and digits, or there are more than 2,000.
        """
        wanted = _written(assets)
        absent: dict[str, Absent] = {}
        if self._unkept(wanted):
            try:
                absent = await within(self._clock, deadline, self._fetch(wanted, deadline), "prices")
            except BudgetExceeded:
                absent = {asset: _late(asset) for asset in wanted}
        return self._told(wanted, absent)

    def states(self) -> tuple[SourceState, ...]:
        """Every source that was configured, those that are asked first."""
        return (*(door.state() for door in self._doors.values()), *self._closed)

    def _unkept(self, wanted: Sequence[str]) -> list[str]:
        """The assets whose price is not kept, or may have been renewed since."""
        now_ns = self._clock.now_ns()
        found = []
        for asset in wanted:
            price = self._kept.get(asset)
            cadence_s = self._doors[price.source].source.cadence_s if price is not None else 0.0
            if price is None or not 0 <= now_ns - price.receive_ns < cadence_s * _SECOND_NS:
                found.append(asset)
        return found

    async def _fetch(self, wanted: Sequence[str], deadline: Deadline) -> dict[str, Absent]:
        """Ask one source after another until every asset has a price; why the others have none."""
        absent: dict[str, Absent] = {}
        async with self._asking:
            left = self._unkept(wanted)
            for name in self._penalties.ordered(list(self._doors)):
                door = self._doors[name]
                asked = [asset for asset in left if door.source.knows(asset)]
                if not asked:
                    continue
                try:
                    told = await door.told(asked, deadline.shorter(SOURCE_S))
                except VenueError as error:
                    self._blame(name, error, asked, absent)
                    continue
                self._penalties.succeed(name)
                self._keep(told.prices)
                absent |= {each.asset: each for each in told.absent}
                priced = {price.asset for price in told.prices}
                left = [asset for asset in left if asset not in priced]
        return {asset: absent.get(asset, self._nobody(asset)) for asset in left}

    def _blame(self, name: str, error: VenueError, asked: Sequence[str], absent: dict[str, Absent]) -> None:
        if error.reason != "budget":  # that is our own restraint, no fault of the source
            self._penalties.fail(name)
            _LOG.warning("prices.failed", source=name, reason=error.reason or error.code)
        for asset in asked:
            absent.setdefault(asset, Absent(asset, "no_source", f"{name}: {error.message[:200]}"))

    def _nobody(self, asset: str) -> Absent:
        names = ", ".join(self._doors) or "none that may be asked"
        return Absent(asset, "unknown_asset", f"No source is asked for {asset} (sources: {names}).")

    def _keep(self, prices: Sequence[ReferencePrice]) -> None:
        for price in prices:
            self._kept.pop(price.asset, None)
            self._kept[price.asset] = price
        while len(self._kept) > MOST_ASSETS:
            del self._kept[next(iter(self._kept))]

    def _told(self, wanted: Sequence[str], absent: Mapping[str, Absent]) -> Told:
        """What is kept of the assets, unless it is too old by now."""
        now_ns = self._clock.now_ns()
        prices: list[ReferencePrice] = []
        missing: list[Absent] = []
        for asset in wanted:
            price = self._kept.get(asset)
            if price is not None and price.age_s(now_ns) <= OLDEST_S:
                prices.append(price)
            elif asset in absent:
                missing.append(absent[asset])
            else:
                missing.append(Absent(asset, "stale", f"The last price of {asset} is older than an hour."))
        return Told(tuple(prices), tuple(missing))


def _late(asset: str) -> Absent:
    return Absent(asset, "no_source", "No source answered in time.")


def _silences(folder: Path, clock: Clock) -> Silences:
    """The bans of this machine, in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return Silences(folder / SILENCES, clock)


def _written(assets: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(asset.strip().upper() for asset in assets))
    if len(wanted) > MOST_ASSETS:
        raise InputError(f"{len(wanted)} assets asked for; at most {MOST_ASSETS} at once.")
    wrong = [asset for asset in wanted if not _ASSET.fullmatch(asset)]
    if wrong:
        raise InputError(f"'{wrong[0][:40]}' is no asset: 1 to 20 letters and digits.", field="asset")
    return wanted


def chosen(order: Sequence[str], known: Mapping[str, PriceSource]) -> list[PriceSource]:
    """The sources of an order.

    Raises
    ------
    ConfigError
        If one is not known.
    """
    unknown = [name for name in order if name not in known]
    if unknown:
        raise ConfigError(
            f"No such source of prices: {', '.join(unknown)}. Sources are {', '.join(known)}.", names=unknown
        )
    return [known[name] for name in dict.fromkeys(order)]


def tier_of(source: PriceSource, keys: Mapping[str, str]) -> Tier | None:
    """The best plan of a source that the keys open; None without the key that it needs."""
    return next((tier for tier in source.tiers if not tier.setting or keys.get(tier.setting)), None)


@contextlib.asynccontextmanager
async def opened(
    sources: Sequence[PriceSource],
    keys: Mapping[str, str],
    clock: Clock,
    folder: Path,
    fraction: Fraction = new_fraction,
) -> AsyncIterator[PriceDesk]:
    """A desk that asks the sources, in their order, until the context ends.

    Parameters
    ----------
    sources
        In the order of preference; a retired one and one without its key are told in the log once and never asked.
    keys
        Values by name of setting.
    clock
        Of ages, waits and deadlines.
    folder
        Where bans are kept for all processes of the machine.
    fraction
        Source of the jitter of repeated reads.
    """
    silences = _silences(folder, clock)
    doors: list[Door] = []
    closed: list[SourceState] = []
    async with contextlib.AsyncExitStack() as stack:
        for source in sources:
            tier = tier_of(source, keys)
            if source.retired or tier is None:
                settings = " or ".join(each.setting for each in source.tiers)
                state = (
                    VenueState("retired", source.retired)
                    if source.retired
                    else VenueState("needs_key", f"{settings} is not set")
                )
                closed.append(SourceState(source.name, "", state))
                _LOG.warning("prices.closed", source=source.name, state=state.status, reason=state.reason)
                continue
            asking = HttpSettings(refusal=source.refusal)
            client = await stack.enter_async_context(
                RestClient(tier.url, Retrying(clock=clock, fraction=fraction), asking)
            )
            key = keys.get(tier.setting, "")
            doors.append(Door(source, tier, key, client, Broker(tier.policy, clock, silences)))
        yield PriceDesk(clock, doors, closed)
