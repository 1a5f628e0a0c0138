"""The last 24 hours and the present day of one instrument, as venues state them beside its price."""

from __future__ import annotations

from dataclasses import dataclass

from sextant.sim.market_model import DAY_MINUTES
from sextant.sim.tape import Forming, Tape, day_open_minute, folded


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What an instrument did; prices in ticks.

    Parameters
    ----------
    last
        Price of the last trade.
    rolling
        The last 24 hours of whole minutes and the minute that forms; its open is the price a day ago.
    today
        Since midnight UTC.
    """

    last: int
    rolling: Forming
    today: Forming


class Day:
    """Says the facts of one tape; what whole minutes say is kept until the next begins.

    Parameters
    ----------
    tape
        The instrument as time passes.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._minute = -1
        self._whole: tuple[Forming, Forming | None]

    def facts(self, now_ms: int) -> DayFacts:
        """The facts as of now."""
        tape = self._tape
        minute, row = divmod(tape.due(now_ms), tape.parts)
        if minute != self._minute:
            self._whole = self._measured(minute)
            self._minute = minute
        played = tape.forming(now_ms, 1, minute)
        rolling, today = (_together(whole, played) for whole in self._whole)
        return DayFacts(int(tape.plan(minute).close[row]), rolling, today)

    def _measured(self, minute: int) -> tuple[Forming, Forming | None]:
        tape = self._tape
        rolling = tape.model.minute_span(tape.listing, minute - DAY_MINUTES, minute)
        midnight = day_open_minute(minute)
        if midnight == minute:
            return folded(rolling), None
        return folded(rolling), folded(rolling.slice(midnight - minute + DAY_MINUTES, DAY_MINUTES))


def _together(whole: Forming | None, played: Forming) -> Forming:
    if whole is None:
        return played
    found = Forming(whole.open, whole.high, whole.low, whole.close, whole.lots, whole.turnover)
    found.add(played)
    return found
