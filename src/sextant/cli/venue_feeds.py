"""The feeds of all venues that are followed: each with links and budgets of its own, all into one learner."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sextant.config import Config
from sextant.errors import ConfigError, NotFound
from sextant.kit.clock import Clock
from sextant.kit.ids import new_fraction
from sextant.kit.precedence import Precedence
from sextant.kit.rate_limit import Silence
from sextant.kit.retry import Fraction
from sextant.scans.universe import TIER_FLOORS_USD
from sextant.venues.asking import broker_of
from sextant.venues.catalog import venue
from sextant.venues.feed import Feed, Learn, Wanted, Watcher, at
from sextant.venues.port import Venue
from sextant.venues.shared_budgets import SharedBudgets

QUOTES: Final = frozenset({"USDT", "USDC", "USD"})  # confluence.md 5, Selection
OPTIONS: Final = Wanted(
    bases=frozenset({"BTC", "ETH"}),
    quotes=frozenset({"USD"}),
    most=2_000,
    history=None,
    kinds=frozenset({"option"}),
    within_days=60.0,  # as far ahead as a strategy of options can be asked to look
)
SIMULATED_BELOW: Final = {
    "binance": "/binance",
    "kraken": "/kraken",
    "kucoin": "/kucoin",
    "coinbase": "/coinbase",
}
"""Where simulated venues that share one address stand; the others stand at its root."""


@dataclass(frozen=True)
class Following:
    """What is followed.

    Parameters
    ----------
    places
        The venues; each has an equal share of ``wanted.most``.
    wanted
        What is wanted of all of them together.
    folder
        Where the bans of venues lie; None where nothing can ban, as at simulated ones.
    options
        What is wanted of the options of a venue that lists them; None for nothing.
    shared
        Where budgets are spent together with other processes; None where each spends its own.
    fraction
        Source of the jitter of every wait.
    precedence
        What goes before the fetching of the past.
    """

    places: Sequence[Venue]
    wanted: Wanted
    folder: Path | None = None
    options: Wanted | None = field(default_factory=lambda: OPTIONS)
    shared: SharedBudgets | None = None
    fraction: Fraction = new_fraction
    precedence: Precedence = field(default_factory=Precedence)


def wanted_of(config: Config) -> Wanted:
    """What a configuration wants of all its venues together."""
    floors = {tier.removeprefix("tier_"): floor for tier, floor in TIER_FLOORS_USD}
    return Wanted(
        quotes=QUOTES,
        most=config.universe,
        floor_usd=floors[config.tier],
        include=config.include,
        exclude=config.exclude,
    )


def places_of(names: Sequence[str]) -> list[Venue]:
    """The venues of these names.

    Raises
    ------
    ConfigError
        If one is not known; says which are.
    """
    try:
        return [venue(name) for name in dict.fromkeys(names)]
    except NotFound as error:
        raise ConfigError(error.message, names=list(names)) from None


def simulated_at(names: Sequence[str], address: str) -> list[Venue]:
    """The venues as they stand below the one address of simulated ones."""
    sockets = address.replace("http", "ws", 1)
    below = {place.name: SIMULATED_BELOW.get(place.name, "") for place in places_of(names)}
    return [at(place, address + below[place.name], sockets + below[place.name]) for place in places_of(names)]


def alone(name: str, address: str) -> str:
    """An address as it would be if the venue did not share its host with other simulated ones; others are unchanged.

    Examples
    --------
    >>> alone("kraken", "ws://127.0.0.1:9/kraken/v2"), alone("kraken", "wss://ws.kraken.com/v2")
    ('ws://127.0.0.1:9/v2', 'wss://ws.kraken.com/v2')
    """
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    below = SIMULATED_BELOW.get(name, "")
    shared = bool(below) and f"/{path}/".startswith(f"{below}/")
    return (
        f"{scheme}{mark}{host}{f'/{path}'[len(below) :]}" if shared else f"{scheme}{mark}{host}{slash}{path}"
    )


def feeds_of(
    following: Following, clock: Clock, learn: Learn, watcher_of: Callable[[str], Watcher]
) -> dict[str, list[Feed]]:
    """The feeds by venue: one of what has bars, and one of options where the venue lists them.

    Notes
    -----
    All of them call ``learn`` from one event loop, so that what it is given is one ordered stream. Those of one venue share
    its silences, because it bans the address; they share nothing else: a venue that fails, bans or hangs is waited for by
    its own feeds alone. The share of a venue is fixed, so that one that is away does not move the others' universe.
    """
    share = math.ceil(following.wanted.most / max(1, len(following.places)))
    feeds: dict[str, list[Feed]] = {}
    for place in following.places:
        kinds = frozenset(place.kinds) - {"option"}
        broker = None
        if following.folder is not None:
            broker = broker_of(place, clock, following.folder, following.shared)
        silence = Silence(clock, None if broker is None else broker.silence())
        parts = [replace(following.wanted, most=share, kinds=kinds)] if kinds else []
        if "option" in place.kinds and following.options is not None:
            parts.append(replace(following.options, exclude=following.wanted.exclude, label="options-"))
        for part in parts:
            feed = Feed(place, clock, learn, part, watcher_of(place.name))
            feed.within(broker, silence)
            feed.draw(following.fraction)
            feed.behind(following.precedence)
            feeds.setdefault(place.name, []).append(feed)
    return feeds
