"""What a simulated venue is made of: a scene, checked, as a market and a script of faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypedDict

from sextant.kit.clock import Clock
from sextant.sim.faults import FaultPlan, parse
from sextant.sim.hosting import check_pace, check_time
from sextant.sim.market_model import MarketModel

HISTORY_DAYS: Final = 8
"""Days that the 24 h summaries and the first weekly bar reach back, with room."""
MILLISECOND_NS: Final = 1_000_000


class Scene(TypedDict, total=False):
    """What a simulation shows; everything may be left out.

    Parameters
    ----------
    seed
        Seed of the market, 7 if unsaid; one seed is one world, past and present.
    port
        Port on 127.0.0.1; 0 or unsaid takes a free one.
    instruments
        Number of listings, 2..1200; all if unsaid.
    pace
        Factor on how often each instrument trades and its book moves, 0.05..4; 1 if unsaid.
    faults
        Script of what goes wrong (see ``faults``).
    """

    seed: int
    port: int
    instruments: int
    pace: float
    faults: Iterable[Mapping[str, Any]]


class Stage(NamedTuple):
    """A market, how often it trades, and what goes wrong when."""

    model: MarketModel
    pace: float
    plan: FaultPlan


def staged(clock: Clock, scene: Scene, days: int = HISTORY_DAYS) -> Stage:
    """The scene as what a venue is made of; ``days`` of the past are shown before the clock's time.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    pace = scene.get("pace", 1.0)
    check_pace(pace)
    check_time(clock, days)
    model = MarketModel(scene.get("seed", 7), scene.get("instruments", 240))
    return Stage(model, pace, FaultPlan(parse(scene.get("faults", ())), clock.now_ns() // MILLISECOND_NS))
