"""Which instruments are followed: the largest ones, with a border wide enough that nobody flaps at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sextant.model.instrument import Instrument

ENTER_LOOKS: Final = 2
LEAVE_LOOKS: Final = 3
LEAVE_RANK: Final = 1.5
MOST_TIMES: Final = (
    2.0  # a market that is turned upside down within three looks is cut here, and not kept twice
)


@dataclass(frozen=True, slots=True)
class Border:
    """Up to which rank one may enter, and beyond which one must leave.

    Parameters
    ----------
    enter, leave
        Ranks from 1; ``leave`` is at least ``enter``.
    most
        How many are ever held besides the kept; the smallest leave at once.
    enter_looks, leave_looks
        Looks running in which the rank must have been so.
    """

    enter: int
    leave: int
    most: int
    enter_looks: int = ENTER_LOOKS
    leave_looks: int = LEAVE_LOOKS


def border(most: int) -> Border:
    """The border of the ``most`` largest.

    Notes
    -----
    One enters within the ``most`` largest in two looks running, so that one wild minute changes nothing, and leaves
    beyond 1.5 times that in three.

    References
    ----------
    confluence.md 5, Selection.
    """
    return Border(most, int(LEAVE_RANK * most), int(MOST_TIMES * most))


@dataclass(frozen=True)
class Selection:
    """The followed instruments, with how often each stood on the other side of the border running.

    Parameters
    ----------
    chosen
        Largest first.
    inside, outside
        Looks running in which one not chosen was large enough, and a chosen one was not.
    """

    chosen: tuple[Instrument, ...] = ()
    inside: Mapping[Instrument, int] = field(default_factory=dict)
    outside: Mapping[Instrument, int] = field(default_factory=dict)


def select(
    before: Selection,
    ranked: Sequence[Instrument],
    around: Border,
    kept: Collection[Instrument] = frozenset(),
) -> Selection:
    """The selection after one more look.

    Parameters
    ----------
    before
        The selection so far.
    ranked
        Eligible instruments by turnover, largest first; one that is not among them leaves at once.
    around
        The border.
    kept
        Instruments that enter and stay whatever their rank, because somebody wants them.

    """
    rank = {instrument: place for place, instrument in enumerate(ranked, 1)}
    held, outside = set[Instrument](), dict[Instrument, int]()
    for instrument in before.chosen:
        if instrument not in rank:
            continue
        looks = before.outside.get(instrument, 0) + 1 if rank[instrument] > around.leave else 0
        if looks < around.leave_looks:
            held.add(instrument)
            if looks:
                outside[instrument] = looks
    inside: dict[Instrument, int] = {}
    for instrument in ranked[: around.enter]:
        if instrument not in held:
            looks = before.inside.get(instrument, 0) + 1
            if looks >= around.enter_looks:
                held.add(instrument)
            else:
                inside[instrument] = looks
    wanted = set(kept)
    by_rank = sorted(held - wanted, key=lambda instrument: rank[instrument])[: around.most]
    last = len(ranked) + 1
    chosen = sorted(
        wanted.union(by_rank), key=lambda instrument: (rank.get(instrument, last), str(instrument))
    )
    return Selection(tuple(chosen), inside, outside)
