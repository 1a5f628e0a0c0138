"""The options of every underlying: rows of chains, each with the age of what is known of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

import numpy as np
from msgspec import UNSET

from sextant.market.counters import Counters
from sextant.market.freshness import Freshness, Pulse
from sextant.model.bar import Floats, Integers
from sextant.model.events import OptionUpdate
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import OPTION_FIELDS, OptionChain, chain_name

CADENCE_NS: Final = 30 * SECOND_NS  # the greatest age of a chain: strategies.md 1.1

KEEP_EXPIRED_NS: Final = 7 * DAY_NS  # what was listed and has expired is told by other events no more
_NEVER_NS: Final = 2**63 - 1

_SMALLEST: Final = 5e-324  # above zero: a zero price is how some venues say that there is none
_AT_LEAST_ZERO: Final = frozenset({"bid_size", "ask_size", "mark", "open_interest", "volume_24h"})
_SIGNED: Final = frozenset({"delta", "gamma", "vega", "theta"})
_LOWEST: Final = tuple(
    -sys.float_info.max if name in _SIGNED else 0.0 if name in _AT_LEAST_ZERO else _SMALLEST
    for name in OPTION_FIELDS
)
_FIELDS_OF: Final = attrgetter(*OPTION_FIELDS)
_BID: Final = OPTION_FIELDS.index("bid")
_ASK: Final = OPTION_FIELDS.index("ask")


class OptionRow:
    """The latest facts of one option.

    Parameters
    ----------
    spec
        Its rules.
    """

    __slots__ = ("event_ns", "pulse", "spec", "values")

    def __init__(self, spec: InstrumentSpec) -> None:
        self.spec = spec
        self.pulse = Pulse(CADENCE_NS)
        self.values: list[float] = []
        self.event_ns = 0
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection that carried it is gone, or it said what cannot be."""
        self.values = [math.nan] * len(OPTION_FIELDS)
        self.event_ns = 0

    def take(self, event: OptionUpdate) -> str | None:
        """``old`` or ``refused`` when an update was not taken; a refused one forgets what was known."""
        if event.event_ns < self.event_ns:
            return "old"
        for place, value in enumerate(_FIELDS_OF(event)):
            if value is UNSET:
                continue
            if value is None:
                self.values[place] = math.nan
            elif _LOWEST[place] <= value < math.inf:
                self.values[place] = value
            else:
                self.forget()
                return "refused"
        self.event_ns = event.event_ns
        return None

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return (self.spec, self.event_ns, self.values, self.pulse.content())

    def restore(self, content: Any) -> None:
        """Become the row of this option whose :meth:`content` it was, its spec aside."""
        _, self.event_ns, values, pulse = content
        self.values = list(values)
        self.pulse.restore(pulse)


class Chains:
    """Options by underlying.

    Parameters
    ----------
    counters
        Where outcomes are counted.

    Notes
    -----
    Options are rows and not columns of a view: a thousand of them live for days and have no bars, and arrays of
    bars must not be widened by them.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rows: dict[Instrument, OptionRow] = {}
        self._order: list[OptionRow] | None = None
        self._first_expiry_ns: dict[str, int] = {}

    def row(self, instrument: Instrument) -> OptionRow | None:
        """What is known of an option; None where it was never listed."""
        return self._rows.get(instrument)

    def take_spec(self, spec: InstrumentSpec, event_ns: int) -> tuple[Instrument, ...]:
        """Know an option, or its changed rules; the options that were dropped because they expired a week before."""
        known = self._rows.get(spec.instrument)
        if known is not None:
            known.spec = spec
            return ()
        self._rows[spec.instrument] = OptionRow(spec)
        self._order = None
        chain, last_ns = chain_name(spec.instrument), event_ns - KEEP_EXPIRED_NS
        gone: tuple[Instrument, ...] = ()
        if self._first_expiry_ns.get(chain, _NEVER_NS) < last_ns:
            # Of this chain only: what one feed tells never changes what another told.
            gone = tuple(
                name for name in self._rows if (name.expiry_ns or 0) < last_ns and chain_name(name) == chain
            )
            for name in gone:
                del self._rows[name]
            self._first_expiry_ns[chain] = self._first(chain)
        else:
            self._first_expiry_ns[chain] = min(
                self._first_expiry_ns.get(chain, _NEVER_NS), spec.instrument.expiry_ns or 0
            )
        return gone

    def take(self, event: OptionUpdate) -> bool:
        """Whether the option is known; what was wrong with the update itself is counted."""
        row = self._rows.get(event.instrument)
        if row is None:
            return False
        row.pulse.beat(event.event_ns, event.receive_ns)
        trouble = row.take(event)
        if trouble is not None:
            self._counters.add(f"options_{trouble}")
        return True

    def lose(self, instrument: Instrument, reason: str, event_ns: int) -> bool:
        """Believe an option's row no longer, its connection is gone; whether it is known."""
        row = self._rows.get(instrument)
        if row is None:
            return False
        row.pulse.down(reason, event_ns)
        row.forget()
        return True

    def alive(self, instrument: Instrument, event_ns: int) -> bool:
        """Note that the connection answered although the option was quiet; whether it is known."""
        row = self._rows.get(instrument)
        if row is None:
            return False
        row.pulse.alive(event_ns)
        return True

    def freshness(self, now_ns: int) -> dict[Instrument, Freshness]:
        """The age of every row as of ``now_ns``."""
        return {row.spec.instrument: row.pulse.judge(now_ns) for row in self._sorted()}

    def views(self, as_of_ns: int) -> dict[str, OptionChain]:
        """Every chain by name, without options expired by then; unknown where a row became known only later."""
        found: dict[str, list[OptionRow]] = {}
        for row in self._sorted():
            if (row.spec.instrument.expiry_ns or 0) > as_of_ns:
                found.setdefault(chain_name(row.spec.instrument), []).append(row)
        return {name: _chain(name, rows, as_of_ns) for name, rows in found.items()}

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return tuple(row.content() for row in self._sorted())

    def rows(self) -> list[OptionRow]:
        """Every row in order; to be read, not changed."""
        return self._sorted()

    def replace(self, gone: Callable[[Instrument], bool], rows: Iterable[OptionRow]) -> None:
        """Forget the rows of some options and take others for them."""
        self._rows = {name: row for name, row in self._rows.items() if not gone(name)}
        self._rows |= {row.spec.instrument: row for row in rows}
        self._order = None
        chains = {chain_name(name) for name in self._rows}
        self._first_expiry_ns = {chain: self._first(chain) for chain in chains}

    def _first(self, chain: str) -> int:
        """When the first option of a chain expires."""
        return min(
            (name.expiry_ns or 0 for name in self._rows if chain_name(name) == chain), default=_NEVER_NS
        )

    def _sorted(self) -> list[OptionRow]:
        if self._order is None:
            self._order = sorted(self._rows.values(), key=_place)
        return self._order


def _place(row: OptionRow) -> tuple[str, int, float, str]:
    """Where a row stands: by chain, expiry, strike and right."""
    name = row.spec.instrument
    return chain_name(name), name.expiry_ns or 0, float(name.strike or 0), name.right or ""


def _chain(name: str, rows: list[OptionRow], as_of_ns: int) -> OptionChain:
    specs = tuple(row.spec for row in rows)
    values: Floats = np.array([row.values for row in rows], dtype=np.float64).T.copy()
    times: Integers = np.array([row.event_ns for row in rows], dtype=np.int64)
    later = np.array([row.pulse.receive_ns > as_of_ns for row in rows], dtype=np.bool_)
    values[:, later], times[later] = np.nan, 0
    crossed = values[_BID] >= values[_ASK]
    values[_BID, crossed] = values[_ASK, crossed] = np.nan
    expiry = np.array([spec.instrument.expiry_ns for spec in specs], dtype=np.int64)
    strike = np.array([float(spec.instrument.strike or 0) for spec in specs], dtype=np.float64)
    right = np.array([1 if spec.instrument.right == "call" else -1 for spec in specs], dtype=np.int64)
    for array in (values, times, expiry, strike, right):
        array.flags.writeable = False
    return OptionChain(name, specs[0].style, specs, expiry, strike, right, times, values)
