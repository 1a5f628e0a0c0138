"""What a view does not say and a process knows: why books are not believed, and how old a quiet stream is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sextant.confluence.inputs import NOTHING_MORE, Extra
from sextant.market.state import MarketState
from sextant.model.times import SECOND_NS
from sextant.model.view import View


@dataclass(frozen=True)
class Sight:
    """A view and what is known beside it at the same moment."""

    view: View
    extra: Extra = NOTHING_MORE


def beside(state: MarketState, view: View) -> Extra:
    """What is known beside a view that was taken from the state just now."""
    desks = [state.desk(spec.instrument) for spec in view.instruments]
    pulses = [desk.pulses["liquidations"] for desk in desks]
    heard = np.array([max(pulse.event_ns, pulse.alive_ns) for pulse in pulses], dtype=np.int64)
    age = np.where(heard > 0, np.maximum(0, view.as_of_ns - heard) / SECOND_NS, np.nan)
    return Extra(book_reasons=tuple(desk.book.reason for desk in desks), ages={"liquidations": age})
