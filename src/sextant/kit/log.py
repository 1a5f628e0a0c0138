"""Logs are events with fields, one per state change, as JSON lines on standard error."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Literal

import orjson
import structlog

LogFormat = Literal["json", "text"]
Sink = Callable[[str], None]

_SECRET_NAMES: Final = re.compile(
    r"(password|secret|token|passphrase|api_key|authorization|signature)", re.IGNORECASE
)
_LONGEST_FIELD: Final = 2_000  # longer text is cut: a log line is an event, not a dump
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x1b]")


def _clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without secrets, control characters and overlong text."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = _CONTROL.sub(" ", value[:_LONGEST_FIELD])
    return event


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Tee:
    """Writes each line to standard error and to a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._printed = structlog.PrintLogger(sys.stderr)

    def msg(self, line: str) -> None:
        self._printed.msg(line)
        self._sink(line)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _copying(sink: Sink) -> structlog.typing.Processor:
    """A step that gives a copy of each event to a sink, as JSON, and leaves the event as it is."""

    def copy(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        sink(_to_json(structlog.processors.format_exc_info(logger, name, dict(event))))
        return event

    return copy


def configure(log_format: LogFormat = "json", level: int = logging.INFO, sink: Sink | None = None) -> None:
    """Send every event to standard error in one format.

    Parameters
    ----------
    log_format
        ``json`` for machines, ``text`` for a person at a terminal.
    level
        Events below it are dropped before they are formatted.
    sink
        Also takes every event, as a line of JSON whatever the format; it must not wait.
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
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if log_format == "text" else [structlog.processors.format_exc_info]),
            _clean,
            *([_copying(sink)] if sink is not None and log_format == "text" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.PrintLoggerFactory(sys.stderr)
            if sink is None or log_format == "text"
            else lambda *_: _Tee(sink)
        ),
        cache_logger_on_first_use=True,
    )


def get(room: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose events carry the room they came from."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return logger
