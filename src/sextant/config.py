"""The configuration: one frozen tree, read once; the only reader of the environment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from sextant.errors import ConfigError
from sextant.kit.log import LogFormat

PREFIX: Final = "SEXTANT_"
RESERVED: Final = frozenset({"SEXTANT_DATA"})
"""Names that belong to others: the folder of recorded data that tests read."""

OTLP_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The name under which every program that sends traces is told where to."""

SECRET_SETTINGS: Final = frozenset(
    {"token_key", "token", "coingecko_demo_key", "coingecko_pro_key", "coincap_key"}
)
PRICE_KEYS: Final = ("coingecko_demo_key", "coingecko_pro_key", "coincap_key")
"""Settings that hold keys of sources of reference prices."""

PRICE_SOURCES: Final = ("coingecko", "coincap")
LONGEST_KEY: Final = 200  # it travels in a header

LEAST_MEMORY_MB: Final = 512  # performance.md W8: an embedded server with its market needs up to 700 MB
MOST_MEMORY_MB: Final = 1_048_576  # a terabyte; more is a typing mistake

MOST_PROCESSES: Final = 64  # beyond it a share of the smallest quota says nothing any more

VENUES: Final = ("bybit", "deribit")
UNIVERSE: Final = 500  # confluence.md 5: the universe kept and scanned
MOST_UNIVERSE: Final = 5_000  # five times what two cores were measured with

Tier = Literal["institutional", "enterprise", "professional", "retail", "emerging", "micro", "any"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting there is; ``SEXTANT_`` and the name in upper case sets it.

    Parameters
    ----------
    data_dir
        Folder of everything this installation keeps.
    database_url
        ``sqlite+aiosqlite:///file`` or ``postgresql+asyncpg://...``; a file in the data folder by default.
    replica_url
        A read replica of the database, asked for reports only; the database itself when absent.
    redis_url
        ``redis://...`` of a Redis or Valkey that carries events and shared limits between processes; none by default.
    memory_limit_mb
        Data memory of a process that runs scans, in MB; a strategy that wants more ends as failed. None: no limit.
    host, port
        Where the API listens.
    api_processes
        How many processes answer requests on one database; each allows its share of every rate limit.
    venues
        Whose markets are followed, by comma.
    universe
        How many instruments are followed, by turnover; each venue has an equal share.
    tier
        Band of 24 h turnover below which none enters.
    include, exclude
        Bases, pairs or identities that are followed whatever their rank, or never, by comma.
    price_sources
        Sources of reference prices in the order in which they are asked, by comma.
    coingecko_demo_key, coingecko_pro_key, coincap_key
        Keys of those sources; CoinGecko is asked without one by default, CoinCap not at all.
    cors_origins
        Origins whose pages may call the API, by comma; none by default.
    token_key
        Secret of at least 32 bytes that signs access tokens; made once and kept in the data folder by default.
    token
        Access token or personal API key that commands send to a server.
    traces_url
        Base URL of an OpenTelemetry collector (OTLP over HTTP) that takes traces; none by default.
        ``OTEL_EXPORTER_OTLP_ENDPOINT`` sets it, too.
    log_format, log_level
        How events are written to standard error, and from which level.
    """

    data_dir: Path
    database_url: str
    replica_url: str | None = None
    redis_url: str | None = None
    memory_limit_mb: int | None = None
    host: str = "127.0.0.1"
    port: int = 8400
    api_processes: int = 1
    venues: tuple[str, ...] = VENUES
    universe: int = UNIVERSE
    tier: Tier = "any"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    price_sources: tuple[str, ...] = PRICE_SOURCES
    coingecko_demo_key: str | None = None
    coingecko_pro_key: str | None = None
    coincap_key: str | None = None
    cors_origins: tuple[str, ...] = ()
    token_key: str | None = None
    token: str | None = None
    traces_url: str | None = None
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"

    @property
    def price_keys(self) -> dict[str, str]:
        """The keys of sources of reference prices that are set, by name of setting."""
        return {name: key for name in PRICE_KEYS if (key := getattr(self, name))}

    @property
    def level(self) -> int:
        """The log level as ``logging`` counts it."""
        return logging.getLevelNamesMapping()[self.log_level.upper()]

    def describe(self) -> dict[str, str]:
        """Every setting by name, as text, secrets masked."""
        return {name: _shown(name, getattr(self, name)) for name in self.__struct_fields__}


def load(environ: Mapping[str, str]) -> Config:
    """The configuration that an environment states.

    Raises
    ------
    ConfigError
        If a ``SEXTANT_`` name is no setting, or a value cannot be one; all of them are named.
    """
    names = {name for name in environ if name.startswith(PREFIX)} - RESERVED
    unknown = sorted(name for name in names if name[len(PREFIX) :].lower() not in Config.__struct_fields__)
    if unknown:
        known = ", ".join(PREFIX + name.upper() for name in Config.__struct_fields__)
        raise ConfigError(f"No such setting: {', '.join(unknown)}. Settings are {known}.", names=unknown)
    given: dict[str, Any] = {name[len(PREFIX) :].lower(): environ[name].strip() for name in names}
    data_dir = Path(given.pop("data_dir", "") or _home(environ) / ".local" / "share" / "sextant").expanduser()
    return Config(
        data_dir=data_dir,
        database_url=given.get("database_url") or f"sqlite+aiosqlite:///{data_dir / 'sextant.db'}",
        replica_url=given.get("replica_url") or None,
        redis_url=given.get("redis_url") or None,
        memory_limit_mb=_memory(given.get("memory_limit_mb")),
        host=given.get("host") or "127.0.0.1",
        port=_port(given.get("port")),
        api_processes=_processes(given.get("api_processes")),
        venues=listed(given.get("venues")) or VENUES,
        universe=_universe(given.get("universe")),
        tier=_choice("tier", given.get("tier") or "any", get_args(Tier)),
        include=listed(given.get("include")),
        exclude=listed(given.get("exclude")),
        price_sources=listed(given.get("price_sources")) or PRICE_SOURCES,
        **{name: _price_key(name, given.get(name)) for name in PRICE_KEYS},
        cors_origins=listed(given.get("cors_origins")),
        token_key=given.get("token_key") or None,
        token=given.get("token") or None,
        traces_url=given.get("traces_url") or environ.get(OTLP_ENDPOINT, "").strip() or None,
        log_format=_choice("log_format", given.get("log_format") or "json", get_args(LogFormat)),
        log_level=_choice("log_level", given.get("log_level") or "info", get_args(LogLevel)),
    )


def listed(text: str | None) -> tuple[str, ...]:
    """The words between commas, each once, in order."""
    return tuple(dict.fromkeys(item.strip() for item in (text or "").split(",") if item.strip()))


def _price_key(name: str, text: str | None) -> str | None:
    """A key that fits into a header; the message never shows it."""
    if not text:
        return None
    if len(text) > LONGEST_KEY or not all("!" <= letter <= "~" for letter in text):
        raise ConfigError(
            f"{PREFIX}{name.upper()} is no key: at most {LONGEST_KEY} printable ASCII letters without spaces."
        )
    return text


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _port(text: str | None) -> int:
    if not text:
        return 8400
    if not text.isdecimal() or int(text) > 65_535:
        raise ConfigError(f"SEXTANT_PORT is '{text}'; allowed are 0..65535.")
    return int(text)


def _processes(text: str | None) -> int:
    if not text:
        return 1
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PROCESSES:
        raise ConfigError(f"SEXTANT_API_PROCESSES is '{text}'; allowed are 1..{MOST_PROCESSES}.")
    return int(text)


def _universe(text: str | None) -> int:
    if not text:
        return UNIVERSE
    if not text.isdecimal() or not 1 <= int(text) <= MOST_UNIVERSE:
        raise ConfigError(f"SEXTANT_UNIVERSE is '{text}'; allowed are 1..{MOST_UNIVERSE}.")
    return int(text)


def _memory(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not LEAST_MEMORY_MB <= int(text) <= MOST_MEMORY_MB:
        raise ConfigError(
            f"SEXTANT_MEMORY_LIMIT_MB is '{text}'; allowed are {LEAST_MEMORY_MB}..{MOST_MEMORY_MB}."
        )
    return int(text)


def _choice(name: str, text: str, choices: tuple[str, ...]) -> Any:
    if text not in choices:
        raise ConfigError(f"{PREFIX}{name.upper()} is '{text}', none of {', '.join(choices)}.")
    return text


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in SECRET_SETTINGS:
        return "***"
    if name in ("database_url", "replica_url"):
        return _without_password(value)
    if name in ("redis_url", "traces_url"):
        return _without_password(value.partition("?")[0])
    return ", ".join(value) or "-" if isinstance(value, tuple) else str(value)


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}:***@{place}" if at else url
