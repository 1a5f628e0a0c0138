"""Moves the programs of all frames along the minutes and lays their values beside one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence import regime
from sextant.confluence.catalog import Voice, voices
from sextant.confluence.contract import INTERVAL_WEIGHTS, Need, Stream
from sextant.confluence.gauges import GAUGED
from sextant.confluence.inputs import closes
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import INTERVAL_OF, Frame, Node, Seen, columns_of, walk
from sextant.confluence.passport import STREAMS, q_age, q_gap, soft
from sextant.confluence.program import Block, Program, Told
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import INTERVAL_NS, SECOND_NS
from sextant.model.view import Flags

_PIECE_CELLS: Final = 16_384
"""Rows times instruments of a longer frame computed at a time."""

Pair = tuple[Floats, Floats]
"""A signal, NaN where absent, and its quality, 0 where absent."""


_NOTHING: Final[Pair] = (np.full((1, 1), np.nan), np.zeros((1, 1)))


@dataclass(frozen=True)
class Asked:
    """The nodes of a voice on one frame, those needs left out that cannot be counted there."""

    signal: Node
    settled: Node
    rows: int
    needs: tuple[Need, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """What the voices say on some 1m rows; arrays are (R, S), or (R, 1) or (1, 1) where they are all the same.

    Parameters
    ----------
    signals
        s of each voice; NaN where absent.
    intervals
        Quality of each voice over its intervals, before streams and venue.
    by_frame
        Signal and quality of each voice on each of its frames.
    ages, gaps
        Of each stream that some feed gives, at the close of the row.
    applies
        Whether a voice applies to an instrument, bool (S,).
    weather
        tau, hv and ll.
    parts
        What the regime read.
    """

    signals: tuple[Floats, ...]
    intervals: tuple[Floats, ...]
    by_frame: Mapping[Frame, tuple[Pair, ...]]
    ages: Mapping[Stream, Floats]
    gaps: Mapping[Stream, Floats]
    applies: tuple[Flags, ...]
    weather: dict[str, Floats]
    parts: dict[str, Floats]

    def quality(
        self, streams: Mapping[Stream, Floats] | None = None, venue: Floats | float = 1.0
    ) -> list[Floats]:
        """Quality of each voice: its intervals, the weakest of its streams, and the venue."""
        known = stream_qualities(self) if streams is None else streams
        found = []
        for voice, interval in zip(voices(), self.intervals, strict=True):
            weakest: Floats = np.ones((1, 1))
            for stream in voice.sub.streams:
                weakest = np.minimum(weakest, known.get(stream, np.zeros((1, 1))))
            found.append(interval * weakest * venue)
        return found

    def label_parts(self, shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats, Floats]:
        """tau, sign of the trend, hv and ll as the label reads them."""
        unknown = np.full((1, 1), np.nan)
        told = (
            self.parts.get("trend", unknown),
            self.parts.get("sign", unknown),
            self.weather["hv"],
            self.weather["ll"],
        )
        # Always copies: one type of array, so that the kernel is compiled once.
        first, second, third, fourth = (np.array(np.broadcast_to(x, shape), order="C") for x in told)
        return first, second, third, fourth

    def last(self) -> Rows:
        """The newest row alone."""
        return Rows(
            signals=tuple(x[-1:] for x in self.signals),
            intervals=tuple(x[-1:] for x in self.intervals),
            by_frame={
                frame: tuple((s[-1:], q[-1:]) for s, q in pairs) for frame, pairs in self.by_frame.items()
            },
            ages={name: x[-1:] for name, x in self.ages.items()},
            gaps={name: x[-1:] for name, x in self.gaps.items()},
            applies=self.applies,
            weather={name: x[-1:] for name, x in self.weather.items()},
            parts={name: x[-1:] for name, x in self.parts.items()},
        )


def ages_at(
    rows: Rows, late_s: float = 0.0, better: Mapping[Stream, Floats] | None = None
) -> dict[Stream, Floats]:
    """Ages of all streams ``late_s`` after the close of the rows; ``better`` ones are known otherwise."""
    return {name: (better or {}).get(name, age + late_s) for name, age in rows.ages.items()}


def stream_qualities(rows: Rows, ages: Mapping[Stream, Floats] | None = None) -> dict[Stream, Floats]:
    """Quality of each stream at some ages; at the close of the rows where none are given."""
    unknown = np.full((1, 1), np.nan)
    return {
        name: q_age(name, age) * q_gap(rows.gaps.get(name, unknown))
        for name, age in (ages_at(rows) if ages is None else ages).items()
    }


class Tape:
    """Programs of all frames over one set of instruments.

    Parameters
    ----------
    specs
        The instruments.
    found
        Blocks whose columns say what there is.
    """

    def __init__(self, specs: Sequence[InstrumentSpec], found: Mapping[Frame, Block]) -> None:
        self.given = {frame: frozenset(block.columns) for frame, block in found.items()}
        self._size = len(specs)
        self._constants = {
            "price_step": np.array([float(spec.tick) for spec in specs]),
            "lot_size": np.array([float(spec.lot) for spec in specs]),
        }
        self._applies = tuple(applies(voice, specs) for voice in voices())
        self._asked = {frame: tuple(self._ask_of(voice, frame) for voice in voices()) for frame in self.given}
        self._roots = self._wanted()
        self._programs: dict[Frame, Program] = {
            frame: self._program(frame) for frame in found if frame != "grid"
        }
        self.done_ns: dict[Frame, int] = dict.fromkeys(self._programs, -1)
        self._carry: dict[Frame, dict[Node, Floats]] = {}
        self._told: dict[Frame, Told] = {}
        self._grid: tuple[Block, Told] | None = None
        self._grid_at = -1

    def supported(self, node: Node, frame: Frame) -> bool:
        """Whether every column that a node needs is given."""
        if frame not in self.given or not columns_of(node) <= self.given[frame] | {"grid_late_s"}:
            return False
        return all(self.supported(part.of, part.frame) for part in walk(node) if isinstance(part, Seen))

    def take_grid(self, block: Block) -> None:
        """Computes the grid anew where it changed; a point may have come late."""
        if self._grid is not None and _same(block, self._grid[0]):
            return
        self._grid = (block, self._program("grid").fold(block, {})) if len(block.open_ns) else None

    def closes(self) -> dict[Frame, int]:
        """When the newest row of each frame closed; frames without rows are left out."""
        found = {
            frame: int(done) + INTERVAL_NS[INTERVAL_OF[frame]]
            for frame, done in self.done_ns.items()
            if done >= 0
        }
        if self._grid is not None and self._grid_at >= 0:
            found["grid"] = int(closes(self._grid[0], "grid")[self._grid_at])
        return found

    @property
    def failed(self) -> dict[str, str]:
        """Parts that raised, ``indicator@frame`` with the kind of error; an empty one for those that are clean again."""
        return {
            f"{part}@{frame}": code
            for frame, program in self._programs.items()
            for part, code in program.failed.items()
        }

    def values(self) -> dict[Frame, dict[Node, Floats]]:
        """The newest row of every node by frame, (1, S)."""
        found = {frame: told.last() for frame, told in self._told.items()}
        if self._grid is not None and self._grid_at >= 0:
            nodes = self._grid[1].nodes
            found["grid"] = {node: x[self._grid_at : self._grid_at + 1] for node, x in nodes.items()}
        return found

    def advance(self, minutes: Block, found: Mapping[Frame, Block]) -> Rows:
        """What the voices say on some further minutes."""
        close_ns = closes(minutes, "1m")
        other: dict[Seen, Floats] = {}
        pairs: dict[Frame, list[Pair]] = {}
        for frame in self._programs:
            if frame != "1m":
                aligned = self._align(frame, found[frame], close_ns)
                other |= {Seen(frame, node): x for node, x in aligned.items()}
                pairs[frame] = self._voices(frame, aligned)
        late = self._see_grid(close_ns, other)
        columns = {**minutes.columns, "grid_late_s": late}
        told = self._programs["1m"].fold(Block(minutes.open_ns, columns), other)
        self._told["1m"] = told
        nodes = told.wanted()
        pairs["1m"] = self._voices("1m", nodes)
        self.done_ns["1m"] = int(minutes.open_ns[-1])
        return self._merged(nodes, pairs, len(close_ns))

    # -- frames ------------------------------------------------------------------------------------

    def _align(self, frame: Frame, block: Block, close_ns: Integers) -> dict[Node, Floats]:
        """The wanted nodes of a longer frame as seen from rows that closed at ``close_ns``."""
        ends = closes(block, frame)
        first = int(np.searchsorted(block.open_ns, self.done_ns[frame], side="right"))
        early = int(np.searchsorted(ends, close_ns[0], side="right"))
        last = int(np.searchsorted(ends, close_ns[-1], side="right"))
        # Rows that all of these minutes have behind them leave only their last value.
        while first < early:
            end = min(early, first + max(1, _PIECE_CELLS // self._size))
            self._fold(frame, block.rows(first, end))
            first = end
        before = self._carry.get(frame, {})
        if first < last:
            told = self._fold(frame, block.rows(first, last))
            at = np.searchsorted(ends[first:last], close_ns, side="right")
            unknown = np.full((1, self._size), np.nan)
            return {node: np.concatenate([before.get(node, unknown), x])[at] for node, x in told.items()}
        if before:
            return dict(before)
        unknown = np.full((1, self._size), np.nan)
        return dict.fromkeys(self._roots[frame], unknown)

    def _fold(self, frame: Frame, block: Block) -> dict[Node, Floats]:
        told = self._programs[frame].fold(block, {})
        self._told[frame] = told
        wanted = told.wanted()
        self._carry[frame] = {node: x[-1:].copy() for node, x in wanted.items()}
        self.done_ns[frame] = int(block.open_ns[-1])
        return wanted

    def _see_grid(self, close_ns: Integers, other: dict[Seen, Floats]) -> Floats:
        """Lays the grid beside the minutes; seconds since its last row, (R, 1)."""
        unknown = np.full((1, self._size), np.nan)
        if self._grid is None:
            other |= {Seen("grid", node): unknown for node in self._roots["grid"]}
            return np.full((len(close_ns), 1), np.nan)
        block, told = self._grid
        ends = closes(block, "grid")
        at = np.searchsorted(ends, close_ns, side="right")
        for node, x in told.wanted().items():
            other[Seen("grid", node)] = np.concatenate([unknown, x])[at]
        self._grid_at = int(at[-1]) - 1
        late: Floats = np.where(at > 0, (close_ns - ends[np.maximum(at - 1, 0)]) / SECOND_NS, np.nan)
        return late[:, None]

    # -- voices ------------------------------------------------------------------------------------

    def _voices(self, frame: Frame, told: Mapping[Node, Floats]) -> list[Pair]:
        """Signal and quality of each voice on a frame; unknown where it has none there."""
        return [_NOTHING if asked is None else _settled(asked, told) for asked in self._asked.get(frame, ())]

    def _merged(self, told: Mapping[Node, Floats], pairs: Mapping[Frame, list[Pair]], rows: int) -> Rows:
        shape = (rows, self._size)
        signals, intervals = [], []
        for at, voice in enumerate(voices()):
            s, q = _merge(voice, {frame: pairs[frame][at] for frame in voice.sub.intervals if frame in pairs})
            q = q * self._applies[at]
            signals.append(np.broadcast_to(np.where(q > 0, s, np.nan), shape))
            intervals.append(np.broadcast_to(q, shape))
        parts = {name: told[node] for name, node in regime.PARTS.items() if node in told}
        ages = {name: told[rule.age] for name, rule in STREAMS.items() if rule.age in told}
        return Rows(
            signals=tuple(signals),
            intervals=tuple(intervals),
            by_frame={frame: tuple(found) for frame, found in pairs.items()},
            ages=ages,
            gaps={name: told[rule.gap] for name, rule in STREAMS.items() if rule.gap in told and rule.gap},
            applies=self._applies,
            weather={name: np.broadcast_to(x, shape) for name, x in regime.known(parts).items()},
            parts=parts,
        )

    # -- what is wanted ----------------------------------------------------------------------------

    def _ask_of(self, voice: Voice, frame: Frame) -> Asked | None:
        sub = voice.sub
        if frame not in sub.intervals or not self.supported(sub.signal, frame):
            return None
        needs = tuple(need for need in sub.needs if self.supported(need.count, frame))
        return Asked(sub.signal, sub.settled, sub.rows, needs)

    def _wanted(self) -> dict[Frame, tuple[Node, ...]]:
        """The nodes that voices, streams and regime ask for, by frame, where their columns are given."""
        asked: dict[Frame, dict[Node, None]] = {frame: {} for frame in self.given}
        asked.setdefault("grid", {})
        for frame, voiced in self._asked.items():
            for item in voiced:
                if item is not None:
                    counts = (need.count for need in item.needs)
                    self._ask(asked, frame, (item.signal, item.settled, *counts))
        for rule in STREAMS.values():
            self._ask(asked, "1m", (rule.age,) if rule.gap is None else (rule.age, rule.gap))
        self._ask(asked, "1m", regime.PARTS.values())
        for frame, nodes in LEVELS.items():
            self._ask(asked, frame, nodes.values())
        for frame, gauged in GAUGED.items():
            self._ask(asked, frame, gauged)
        return {frame: tuple(nodes) for frame, nodes in asked.items()}

    def _ask(self, asked: dict[Frame, dict[Node, None]], frame: Frame, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not self.supported(node, frame):
                continue
            asked[frame][node] = None
            for part in walk(node):
                if isinstance(part, Seen):
                    self._ask(asked, part.frame, (part.of,))

    def _program(self, frame: Frame) -> Program:
        return Program(frame, self._roots[frame], self._size, self._constants)


def _same(one: Block, other: Block) -> bool:
    """Whether two blocks hold the same rows."""
    return (
        one.columns.keys() == other.columns.keys()
        and np.array_equal(one.open_ns, other.open_ns)
        and all(np.array_equal(x, other.columns[name], equal_nan=True) for name, x in one.columns.items())
    )


def applies(voice: Voice, specs: Sequence[InstrumentSpec]) -> Flags:
    """Whether a voice applies to each instrument, bool (S,)."""
    sub = voice.sub
    return np.array(
        [spec.instrument.kind in sub.kinds and spec.instrument.base not in sub.absent_for for spec in specs],
        dtype=np.bool_,
    )


def _settled(asked: Asked, told: Mapping[Node, Floats]) -> Pair:
    """Signal and quality of a voice on one frame, from its nodes."""
    s = told[asked.signal]
    q = np.where((told[asked.settled] >= asked.rows) & ~np.isnan(s), 1.0, 0.0)
    for need in asked.needs:
        have = np.nan_to_num(told[need.count])
        q = q * (soft(have, need.need, need.start) if need.soft else have >= need.need)
    return np.where(q > 0, s, np.nan), q


def _merge(voice: Voice, pairs: Mapping[Frame, Pair]) -> Pair:
    """Signal and quality over the intervals; those that are absent leave their weight to the others."""
    moved, used, declared = np.zeros((1, 1)), np.zeros((1, 1)), 0.0
    for frame in voice.sub.intervals:
        declared += INTERVAL_WEIGHTS[frame]
        if frame in pairs:
            s, q = pairs[frame]
            moved = moved + INTERVAL_WEIGHTS[frame] * q * np.where(q > 0, s, 0.0)
            used = used + INTERVAL_WEIGHTS[frame] * q
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(used > 0, moved / used, np.nan), used / declared
