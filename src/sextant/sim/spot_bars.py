"""Bars of one instrument over a span, with the one that forms, as REST answers state them."""

from __future__ import annotations

from sextant.sim.market_model import DAY_MINUTES, FIRST_DAY
from sextant.sim.tape import MINUTE_MS, Forming, Tape

_KNOWN_DAYS = 8  # days after the first that summaries and weeks reach back


def bars_until(tape: Tape, now_ms: int, minutes: int, last_ms: int, count: int) -> list[tuple[int, Forming]]:
    """Up to ``count`` bars with their open in ms since 1970, oldest first, none opened after ``last_ms`` or now.

    Parameters
    ----------
    minutes
        Length; bars are aligned to 1970.
    """
    step_ms = minutes * MINUTE_MS
    newest = now_ms // step_ms
    last = min(newest, last_ms // step_ms)
    oldest_day = max(tape.listing.launch_day, FIRST_DAY + _KNOWN_DAYS)
    first = max(-(-oldest_day * DAY_MINUTES // minutes), last - count + 1)
    found = []
    whole = min(last, newest - 1)
    if whole >= first:
        bars = tape.model.bars(tape.listing, minutes, first, whole - first + 1)
        columns = (bars.open, bars.high, bars.low, bars.close, bars.lots, bars.turnover)
        for row, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            found.append(((first + row) * step_ms, Forming(*values)))
    if last == newest >= first:
        found.append((newest * step_ms, tape.forming(now_ms, minutes, newest * minutes)))
    return found
