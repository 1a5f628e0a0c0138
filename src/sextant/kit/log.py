"""Logs are events with fields, one per state change, as JSON lines on standard error."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Literal

import orjson
import structlog

from sextant.kit.log_budget import LogBudget

LogFormat = Literal["json", "text"]
Sink = Callable[[str], None]

_SECRET_NAMES: Final = re.compile(
    r"(password|secret|token|passphrase|api_?key|authorization|signature|cookie|credential)", re.IGNORECASE
)
_SECRET_TEXT: Final = re.compile(
    r"(sxk_[0-9a-f]{32}_[\w-]{20,}"  # a personal API key
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"  # a signed token
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # a user and password in a URL
    r"|(?<=bot)\d{6,}:[\w-]{20,})"  # a token of a messenger in a URL
)
_BARE: Final = frozenset({int, float, bool, type(None)})
_MASK: Final = "***"
_LONGEST_FIELD: Final = 2_000  # longer text is cut: a log line is an event, not a dump
_MOST_ITEMS: Final = 64
_DEEPEST: Final = 3
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without secrets, control characters and overlong text, however deep they are."""
    for name, value in event.items():
        event[name] = _MASK if _is_secret(name) else _plain(value)
    return event


@functools.lru_cache(1_024)
def _is_secret(name: str) -> bool:
    """Whether a field of this name is masked; programs have few names and use them again and again."""
    return _SECRET_NAMES.search(name) is not None


def _plain(value: Any, depth: int = 0) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind in _BARE or isinstance(value, int | float):
        return value
    if depth < _DEEPEST and isinstance(value, dict):
        return {
            str(name)[:64]: _MASK if _SECRET_NAMES.search(str(name)) else _plain(item, depth + 1)
            for name, item in list(value.items())[:_MOST_ITEMS]
        }
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    return _text(str(value))


def _text(text: str) -> str:
    text = text[:_LONGEST_FIELD]
    # Most texts hold neither; looking for a part that every secret has is cheaper than looking for a secret.
    if "sxk_" in text or "eyJ" in text or "://" in text or "bot" in text:
        text = _SECRET_TEXT.sub(_MASK, text)
    return text if text.isprintable() else _CONTROL.sub(" ", text)


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Lines:
    """Writes each line to whatever standard error is at that moment, and to a sink where there is one."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink

    def msg(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        if self._sink is not None:
            self._sink(line)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _copying(sink: Sink) -> structlog.typing.Processor:
    """A step that gives a copy of each event to a sink, as JSON, and leaves the event as it is."""

    def copy(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        sink(_to_json(structlog.processors.format_exc_info(logger, name, dict(event))))
        return event

    return copy


def configure(
    log_format: LogFormat = "json",
    level: int = logging.INFO,
    sink: Sink | None = None,
    budget: LogBudget | None = None,
) -> None:
    """Send every event to standard error in one format.

    Parameters
    ----------
    log_format
        ``json`` for machines, ``text`` for a person at a terminal.
    level
        Events below it are dropped before they are formatted.
    sink
        Also takes every event, as a line of JSON whatever the format; it must not wait.
    budget
        Holds repetitions back; None writes every line.
    """
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # others print local variables, and secrets with them
        )
        if log_format == "text"
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    structlog.configure(
        processors=[
            *([] if budget is None else [budget]),  # first: a repetition shall cost next to nothing
            structlog.contextvars.merge_contextvars,
            *([] if log_format == "text" else [structlog.processors.format_exc_info]),
            _clean,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([_copying(sink)] if sink is not None and log_format == "text" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(None if log_format == "text" else sink),
        cache_logger_on_first_use=True,
    )


def get(room: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose events carry the room they came from."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return logger
