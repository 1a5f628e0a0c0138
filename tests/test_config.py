from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sextant.config import Config, load
from sextant.errors import ConfigError


def test_an_empty_environment_keeps_everything_in_the_home_folder() -> None:
    config = load({"HOME": "/home/ada"})
    assert config.data_dir == Path("/home/ada/.local/share/sextant")
    assert config.database_url == "sqlite+aiosqlite:////home/ada/.local/share/sextant/sextant.db"
    assert (config.host, config.port, config.cors_origins) == ("127.0.0.1", 8400, ())
    assert config.token_key is None
    assert config.level == logging.INFO


def test_each_setting_has_effect() -> None:
    plain = load({"HOME": "/home/ada"})
    values = {
        "data_dir": "/srv/sextant",
        "database_url": "postgresql+asyncpg://u:p@host/db",
        "replica_url": "postgresql+asyncpg://u:p@replica/db",
        "redis_url": "redis://host:6379/0",
        "traces_url": "http://collector:4318",
        "memory_limit_mb": "2048",
        "api_processes": "3",
        "host": "0.0.0.0",  # noqa: S104  # a value, nothing is bound
        "port": "0",
        "venues": "kraken, binance",
        "universe": "1000",
        "tier": "retail",
        "include": "BTC",
        "exclude": "DOGE/USDT",
        "price_sources": "coincap",
        "coingecko_demo_key": "CG-demo",
        "coingecko_pro_key": "CG-pro",
        "coincap_key": "0123",
        "cors_origins": "https://a.example, https://b.example",
        "token_key": "k" * 32,
        "token": "t",
        "log_format": "text",
        "log_level": "debug",
    }
    assert set(values) == set(Config.__struct_fields__)
    for name, value in values.items():
        changed = load({"HOME": "/home/ada", f"SEXTANT_{name.upper()}": value})
        assert getattr(changed, name) != getattr(plain, name), name


def test_a_collector_of_traces_is_named_as_everywhere_or_for_this_program_alone() -> None:
    everywhere = {"HOME": "/h", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"}
    assert load(everywhere).traces_url == "http://a:4318"
    assert load(everywhere | {"SEXTANT_TRACES_URL": "http://b:4318"}).traces_url == "http://b:4318"
    assert load({"HOME": "/h", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}).traces_url is None
    secret = load({"HOME": "/h", "SEXTANT_TRACES_URL": "http://user:canary@c:4318"})
    assert "canary" not in secret.describe()["traces_url"]


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="SEXTANT_PROT") as refused:
        load({"SEXTANT_PROT": "1", "PATH": "/bin"})
    assert refused.value.facts["names"] == ["SEXTANT_PROT"]


def test_the_folder_of_recorded_data_belongs_to_the_tests() -> None:
    assert load({"HOME": "/h", "SEXTANT_DATA": "/data"}) == load({"HOME": "/h"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("MEMORY_LIMIT_MB", "100"),
        ("UNIVERSE", "0"),
        ("UNIVERSE", "5001"),
        ("TIER", "whale"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"SEXTANT_{name} is '{value}'"):
        load({"HOME": "/h", f"SEXTANT_{name}": value})


def test_a_description_masks_every_secret() -> None:
    config = load(
        {
            "HOME": "/h",
            "SEXTANT_TOKEN_KEY": "canary-key" * 4,
            "SEXTANT_TOKEN": "canary-token",
            "SEXTANT_COINGECKO_DEMO_KEY": "canary-demo",
            "SEXTANT_COINGECKO_PRO_KEY": "canary-pro",
            "SEXTANT_COINCAP_KEY": "canary-cap",
            "SEXTANT_DATABASE_URL": "postgresql+asyncpg://ada:canary-password@host/db",
            "SEXTANT_REPLICA_URL": "postgresql+asyncpg://ada:canary-password@replica/db",
            "SEXTANT_REDIS_URL": "redis://:canary-password@store/0?password=canary-too",
        }
    )
    shown = config.describe()
    assert "canary" not in str(shown)
    assert shown["database_url"] == "postgresql+asyncpg://ada:***@host/db"
    assert shown["replica_url"] == "postgresql+asyncpg://ada:***@replica/db"
    assert shown["redis_url"] == "redis://:***@store/0"


def test_keys_of_price_sources_are_handed_on_by_name_and_a_broken_one_is_refused_unseen() -> None:
    config = load({"HOME": "/h", "SEXTANT_COINCAP_KEY": "0123"})
    assert config.price_keys == {"coincap_key": "0123"}
    assert config.price_sources == ("coingecko", "coincap")
    for broken in ("canary key", "canary\nkey", "canary" * 40):
        with pytest.raises(ConfigError, match="SEXTANT_COINCAP_KEY") as refused:
            load({"HOME": "/h", "SEXTANT_COINCAP_KEY": broken})
        assert "canary" not in str(refused.value)


def test_lists_are_words_between_commas_each_once_in_order() -> None:
    config = load({"HOME": "/h", "SEXTANT_VENUES": " kraken,binance ,,kraken", "SEXTANT_EXCLUDE": ","})
    assert config.venues == ("kraken", "binance")
    assert config.exclude == ()
    assert load({"HOME": "/h"}).venues == ("bybit", "deribit")


def test_there_are_fewer_than_forty_settings() -> None:
    assert len(Config.__struct_fields__) < 40


@pytest.mark.parametrize("text", ["0", "65", "-1", "two"])
def test_a_number_of_processes_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"SEXTANT_API_PROCESSES .* 1\.\.64"):
        load({"HOME": "/home/ada", "SEXTANT_API_PROCESSES": text})
    assert load({"HOME": "/home/ada", "SEXTANT_API_PROCESSES": "3"}).api_processes == 3
