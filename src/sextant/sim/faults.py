"""Faults as data: what goes wrong, and at which call, message or moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sextant.errors import InputError
from sextant.sim.noise import Dice, mix

REST_FAULTS: Final = frozenset(
    (
        "reset",
        "status",
        "html",
        "truncated",
        "drip",
        "limited",
        "banned",
        "skew",
        "body",
        "redirect",
        "drift",
        "bomb",
    )
)
"""What can hit a REST call."""

_SEQUENCE_FAULTS: Final = (
    "gap",
    "duplicate",
    "swap",
    "snapshot",
    "restart",
    "crossed",
    "frozen",
    "burst",
    "drift",
)
_SPELLING_FAULTS: Final = ("raw", "binary", "fragments", "broken_text")
_LINK_FAULTS: Final = ("reset", "silence", "close")
PUSH_FAULTS: Final = frozenset((*_SEQUENCE_FAULTS, *_SPELLING_FAULTS, *_LINK_FAULTS))
"""What can hit a push of a topic, or whoever listens to it."""

MOMENT_FAULTS: Final = frozenset(
    (*_LINK_FAULTS, "raw", "binary", "skew", "banned", "away", "delist", "retick", "maintenance")
)
"""What can happen to the whole venue at a moment."""

ANY_PATH: Final = "*"
"""In a script, the path of a call of which only the moment matters."""

_OPTIONS: Final = frozenset(
    [
        "byte",
        "status",
        "retry_after",
        "seconds",
        "times",
        "text",
        "hex",
        "repeat",
        "code",
        "location",
        "bytes_a_second",
        "messages",
        "field",
        "value",
        "renamed",
        "symbol",
        "category",
        "megabytes",
    ]
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a script.

    Parameters
    ----------
    kind
        What goes wrong.
    seed
        Chooses what the fault leaves open, such as the byte of a reset.
    call, path
        Number of the REST call (of that path, where given), from 1; None where the fault is no REST fault.
    topic, message
        Topic and number of its push, from 1.
    after_s
        Seconds since the start of the simulation; with a topic or a path the first push or call after that moment is hit.
    times
        How many calls or pushes in a row it hits.
    options
        Details by name.
    """

    kind: str
    seed: int
    call: int | None = None
    path: str | None = None
    topic: str | None = None
    message: int | None = None
    after_s: float | None = None
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str, otherwise: float) -> float:
        """A numeric detail."""
        return float(self.options.get(name, otherwise))

    def text(self) -> str:
        """The text it sends, as often as told."""
        return str(self.options.get("text", "")) * int(self.options.get("repeat", 1))

    def draw(self, below: int) -> int:
        """A whole number in [0, below) that follows from the seed."""
        return Dice(mix(self.seed * 31 + 7)).below(below)


def parse(script: Iterable[Mapping[str, Any]]) -> tuple[Fault, ...]:
    """The faults of a script.

    Raises
    ------
    InputError
        If a line has an unknown kind, place or detail.

    Examples
    --------
    >>> parse([{"seed": 7, "at": {"call": 17}, "fault": "reset", "byte": 120}])[0].call
    17
    """
    return tuple(_parse_line(line) for line in script)


def _parse_line(line: Mapping[str, Any]) -> Fault:
    at = line.get("at")
    if not isinstance(at, Mapping):
        raise InputError(f"Fault {dict(line)} does not say 'at' which call, message or moment.")
    places = [name for name in ("call", "message", "after_s") if name in at]
    unknown = set(at) - {"call", "path", "topic", "message", "after_s"}
    lacking = "message" in at and "topic" not in at
    if len(places) != 1 or unknown or lacking or ("topic" in at and ("path" in at or "call" in at)):
        raise InputError(
            f"Fault at {dict(at)}: say either call (and path), topic and message, or after_s (and topic or path)."
        )
    place = "call" if "path" in at else "message" if "topic" in at else places[0]
    allowed = {"call": REST_FAULTS, "message": PUSH_FAULTS, "after_s": MOMENT_FAULTS}[place]
    kind = line.get("fault")
    if kind not in allowed:
        raise InputError(f"Fault '{kind}' is none of {', '.join(sorted(allowed))} at a {place}.")
    options = {name: value for name, value in line.items() if name not in ("seed", "at", "fault")}
    strange = set(options) - _OPTIONS
    if strange:
        raise InputError(f"Fault '{kind}' has unknown details {', '.join(sorted(strange))}.")
    return Fault(
        kind=str(kind),
        seed=int(line.get("seed", 0)),
        call=at.get("call"),
        path=at.get("path"),
        topic=at.get("topic"),
        message=at.get("message"),
        after_s=at.get("after_s"),
        times=int(options.get("times", 1)),
        options=options,
    )


class FaultPlan:
    """Counts calls and pushes and says which faults are due.

    Parameters
    ----------
    faults
        The script.
    start_ms
        Moment from which ``after_s`` counts.
    """

    def __init__(self, faults: tuple[Fault, ...], start_ms: int) -> None:
        self._faults = faults
        self._start_ms = start_ms
        self._calls = 0
        self._paths: dict[str, int] = {}
        self._pushes: dict[str, int] = {}
        self._waiting = sorted(
            (fault for fault in faults if fault.after_s is not None), key=lambda fault: fault.after_s or 0.0
        )
        self._topics = {fault.topic for fault in faults if fault.topic is not None}
        self._ripe: list[Fault] = []
        self.history: list[tuple[str, str]] = []

    def call(self, path: str) -> list[Fault]:
        """Count a REST call; the faults that hit it."""
        self._calls += 1
        self._paths[path] = self._paths.get(path, 0) + 1
        due = []
        for fault in self._faults:
            if fault.call is None or fault.path not in (None, path):
                continue
            number = self._calls if fault.path is None else self._paths[path]
            if fault.call <= number < fault.call + fault.times:
                due.append(fault)
                self.history.append((f"call {number} {path}", fault.kind))
        ripe = self._picked(lambda fault: fault.path in (path, ANY_PATH))
        self.history += [(f"call {self._calls} {path}", fault.kind) for fault in ripe]
        return due + ripe

    def push(self, topic: str) -> list[Fault]:
        """Count a push of a topic; the faults that hit it."""
        if topic not in self._topics:
            return []
        number = self._pushes[topic] = self._pushes.get(topic, 0) + 1
        due = []
        for fault in self._faults:
            first = fault.message
            if fault.topic == topic and first is not None and first <= number < first + fault.times:
                due.append(fault)
                self.history.append((f"push {number} {topic}", fault.kind))
        ripe = self._picked(lambda fault: fault.topic == topic)
        self.history += [(f"push {number} {topic}", fault.kind) for fault in ripe]
        return due + ripe

    def _picked(self, hits: Callable[[Fault], bool]) -> list[Fault]:
        """The first of the faults whose moment has come, and which one thing hits."""
        found = next((fault for fault in self._ripe if hits(fault)), None)
        if found is None:
            return []
        self._ripe.remove(found)
        return [found]

    def moment(self, now_ms: int) -> list[Fault]:
        """The faults of everything whose moment has come since the last asking; those of a topic or a path lie in wait from now on."""
        due = []
        while self._waiting and (self._waiting[0].after_s or 0.0) * 1_000 <= now_ms - self._start_ms:
            fault = self._waiting.pop(0)
            if fault.topic is not None or fault.path is not None:
                self._ripe.append(fault)
                continue
            due.append(fault)
            self.history.append((f"after {fault.after_s} s", fault.kind))
        return due
