from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sextant.kit import log


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    """Leave no logger behind that writes to what pytest has closed."""
    yield
    structlog.reset_defaults()


def test_an_event_is_one_json_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.get("market").info("feed.gap", venue="bybit", expected=5, got=7)
    [line] = _lines(capsys)
    assert (line["event"], line["room"], line["venue"], line["expected"], line["level"]) == (
        "feed.gap",
        "market",
        "bybit",
        5,
        "info",
    )


def test_secrets_never_reach_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.get("vault").info("login", password="hunter2", api_key="abc", refresh_token="def", user="ada")
    text = capsys.readouterr().err
    assert "hunter2" not in text
    assert "abc" not in text
    assert "def" not in text
    assert "ada" in text


def test_a_hostile_field_stays_one_record_and_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.get("api").info("request", path='a\r\n{"event":"forged"}\x1b[31m' + "x" * 10_000)
    [line] = _lines(capsys)
    path = str(line["path"])
    assert "\n" not in path
    assert "\x1b" not in path
    assert len(path) == 2_000


def test_events_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level=logging.WARNING)
    log.get("market").info("feed.up")
    assert _lines(capsys) == []


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_sink_takes_every_event_as_json_whatever_a_person_sees(
    capsys: pytest.CaptureFixture[str], log_format: log.LogFormat
) -> None:
    taken: list[str] = []
    log.configure(log_format, sink=taken.append)
    log.get("scans").warning("scan.lapsed", scan_id="s1", password="hunter2")
    try:
        int("broken")
    except ValueError:
        log.get("scans").exception("scan.failed")
    first, second = (json.loads(line) for line in taken)
    assert (first["event"], first["scan_id"], first["password"], first["level"]) == (
        "scan.lapsed",
        "s1",
        "***",
        "warning",
    )
    assert "ValueError: invalid literal" in second["exception"]
    shown = capsys.readouterr().err
    assert "scan.lapsed" in shown
    assert "scan.failed" in shown


CANARY = "c4n4ry-" + "x" * 24
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"  # noqa: S105  # made for the test


@pytest.mark.parametrize(
    "fields",
    [
        {"url": f"postgresql+asyncpg://ada:{CANARY}@db.example.org/sextant"},
        {"detail": f"refused Bearer {TOKEN}", "password": CANARY},
        {"detail": f"https://api.telegram.org/bot123456789:{CANARY}/send"},
        {"detail": f"the key sxk_{'0' * 32}_{CANARY} was refused"},
        {"headers": {"Authorization": CANARY, "x": [{"api_key": CANARY}]}},
        {"Cookie": CANARY, "apikey": CANARY, "secret_key": CANARY, "credentials": (CANARY,)},
    ],
)
def test_a_secret_is_masked_wherever_it_stands(
    capsys: pytest.CaptureFixture[str], fields: dict[str, object]
) -> None:
    log.configure()
    log.get("api").warning("request.failed", **fields)
    text = capsys.readouterr().err
    assert CANARY not in text
    assert TOKEN not in text
    assert "***" in text


def _broken() -> None:
    raise ValueError(f"cannot reach postgresql://ada:{CANARY}@db\nforged line")


def test_what_an_exception_says_is_cleaned_too(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    try:
        _broken()
    except ValueError as error:
        log.get("api").error("request.failed", exc_info=error)
    [line] = _lines(capsys)
    assert CANARY not in str(line)
    assert "ValueError" in str(line["exception"])


@pytest.mark.parametrize("mark", ["\u0085", "\u2028", "\x1b[2J", "\x00", "\r\n"])
def test_no_character_begins_another_line(capsys: pytest.CaptureFixture[str], mark: str) -> None:
    log.configure()
    log.get("api").info("request", detail=f"a{mark}b", rows=[f"c{mark}d"])
    [line] = _lines(capsys)
    assert str(line["detail"]).replace("[2J", "").split() == ["a", "b"]
    assert len(str(line["rows"]).splitlines()) == 1


def test_a_logger_outlives_the_stream_it_first_wrote_to(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure()
    logger = log.get("scans")
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", first)
    logger.info("one")
    first.close()
    monkeypatch.setattr("sys.stderr", second)
    logger.info("two")
    assert json.loads(second.getvalue())["event"] == "two"
