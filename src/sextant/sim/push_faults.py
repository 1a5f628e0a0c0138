"""Pushes spoilt on the way: lost, repeated, held back, or in a spelling that few servers use."""

from __future__ import annotations

from collections.abc import Iterable

from sextant.sim.faults import Fault
from sextant.sim.session import Frame, Session, broken_text, fragments

Key = tuple[str, str]
"""Whose pushes: a session or a category, and a topic."""


class PushFaults:
    """Remembers what is held back, and what was sent last."""

    def __init__(self) -> None:
        self._held: dict[Key, tuple[int, list[Frame]]] = {}
        self._last: dict[Key, Frame] = {}

    def sent(self, key: Key, text: str, faults: Iterable[Fault]) -> list[Frame]:
        """What is sent in place of a text."""
        texts: list[Frame] = [text]
        kinds = set()
        for fault in faults:
            kinds.add(fault.kind)
            if fault.kind == "swap":
                self._held[key] = (int(fault.number("messages", 1)), texts)
                texts = []
            elif fault.kind == "frozen":
                texts = [self._last[key]] if key in self._last else []
            else:
                texts = misspelt(texts, fault)
        if not kinds and key in self._held:
            left, held = self._held.pop(key)
            if left > 1:
                self._held[key] = (left - 1, held)
            else:
                texts = [*texts, *held]
        if "frozen" not in kinds:
            self._last[key] = text
        return texts

    def forget(self, key: Key) -> None:
        """Nobody follows the pushes any more."""
        self._held.pop(key, None)
        self._last.pop(key, None)


def misspelt(texts: list[Frame], fault: Fault) -> list[Frame]:
    """The frames lost, repeated, or in a spelling that few servers use, or none does."""
    if fault.kind == "gap":
        return []
    if fault.kind == "duplicate":
        return [*texts, *texts]
    if fault.kind == "raw":
        return [fault.text()]
    if fault.kind == "binary":
        return [bytes.fromhex(str(fault.options.get("hex", "ff")))]
    if fault.kind == "fragments":
        return [fragments(text) if isinstance(text, str) else text for text in texts]
    if fault.kind == "broken_text":
        return [broken_text()]
    return texts


def strike(sessions: Iterable[Session], fault: Fault, now_ms: int) -> None:
    """Faults that hit whole connections."""
    for session in sessions:
        if fault.kind == "reset":
            cut(session)
        elif fault.kind == "close":
            session.close(int(fault.number("code", 1012)), b"service restart")
        elif fault.kind == "silence":
            session.muted_until_ms = now_ms + int(fault.number("seconds", 86_400) * 1_000)
        elif fault.topic is None and fault.kind in ("raw", "binary"):
            for frame in misspelt([""], fault):
                session.put(frame)


def cut(session: Session) -> None:
    """End a connection without a word."""
    if session.transport is not None:
        session.transport.abort()
