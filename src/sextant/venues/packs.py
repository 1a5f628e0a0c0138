"""Packs of bars: Parquet or Feather tables of one interval as model events, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.bar import BarBlock, Floats, Integers
from sextant.model.events import Event, Listed
from sextant.model.instrument import FIAT_ASSETS, STABLE_ASSETS, Instrument, InstrumentSpec, Kind
from sextant.model.times import DAY_NS, INTERVAL_NS, Interval
from sextant.venues.pack_files import Location
from sextant.venues.pack_table import NEEDED, PRICES, PackTable, Rows

QUOTES: Final = tuple(
    sorted(STABLE_ASSETS | FIAT_ASSETS | {"BTC", "ETH", "BNB"}, key=lambda asset: (-len(asset), asset))
)
"""Quote assets by which a joined symbol is split, longest first."""

MOST_CELLS: Final = 1 << 20  # bars of one block; seven columns of them are 56 MiB
SUM_NOISE: Final = 1e-13  # about 450 roundings of float64
QUIET_NS: Final = DAY_NS  # no bar for a day before the end: not trading any more
MOST_DECIMALS: Final = 12  # finer prices are rounding noise of a computation, not a venue's step

_KIND_OF_WORD: Final[Mapping[str, Kind]] = {
    "spot": "spot",
    "usdm": "perpetual",
    "linear": "perpetual",
    "perpetual": "perpetual",
}
_VENUES: Final = frozenset({"binance", "bybit", "kraken", "kucoin", "coinbase", "okx"})


@dataclass(frozen=True, slots=True)
class PackReplay:
    """A pack of bars as model events.

    Parameters
    ----------
    events
        One ``Listed`` per instrument, then blocks of bars, oldest first; read from the file as they are taken.
    notes
        What was assumed or left out, one sentence each; every answer made of the pack should show them.
    period
        Open time of the first bar and close time of the last, nanoseconds UTC.
    instruments
        The columns of every block.
    interval
        Length of each bar.
    bars
        Number of bars the events hold.
    """

    events: Iterator[Event]
    notes: tuple[str, ...]
    period: tuple[int, int]
    instruments: tuple[Instrument, ...]
    interval: Interval
    bars: int


def _decimals(values: Floats, at_least: int, noise: float = 0.0) -> int:
    """The fewest decimals, at least ``at_least``, that spell every value; above the most when none do.

    ``noise`` is the distance still taken as equal, as a fraction of the value: volumes are sums, and some
    sources add them in float64.
    """
    rest = values
    for places in range(at_least, MOST_DECIMALS + 1):
        scale = 10.0**places
        # Rounding to a decimal and dividing gives the very float that reading that decimal gives.
        rest = rest[np.abs(np.rint(rest * scale) / scale - rest) > noise * rest]
        if not rest.size:
            return places
    return MOST_DECIMALS + 1


@dataclass(slots=True)
class _Facts:
    """What one pass over the file learns of each symbol."""

    bars: NDArray[np.int64]
    last_open_ns: Integers
    price_places: NDArray[np.int64]
    volume_places: NDArray[np.int64]
    first_open_ns: int
    broken: int

    def learn(self, rows: Rows) -> None:
        """Add a batch of sound rows, symbol after symbol."""
        which, starts = np.unique(rows.symbol, return_index=True)
        ends = [*starts[1:].tolist(), rows.symbol.size]
        for symbol, start, end in zip(which, starts, ends, strict=True):
            part = slice(start, end)
            prices = np.concatenate([rows.values[name][part] for name in PRICES])
            self.bars[symbol] += end - start
            self.last_open_ns[symbol] = rows.open_ns[end - 1]
            self.price_places[symbol] = _decimals(prices, int(self.price_places[symbol]))
            self.volume_places[symbol] = _decimals(
                rows.values["volume"][part], int(self.volume_places[symbol]), SUM_NOISE
            )
        self.first_open_ns = min(self.first_open_ns, int(rows.open_ns.min()))


MOST_SYMBOLS: Final = 10_000


def _survey(table: PackTable, interval: Interval, until_ns: int | None) -> _Facts:
    facts = _Facts(
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.iinfo(np.int64).max,
        0,
    )
    step = INTERVAL_NS[interval]
    for batch in table.batches():
        if len(table.symbols) > MOST_SYMBOLS:
            raise InputError(f"{table.path} holds over {MOST_SYMBOLS} symbols, the most of one pack.")
        rows = batch.by_symbol()
        _steps(table, rows)
        if np.any(rows.open_ns % step):
            raise InputError(f"{table.path}: an open time is no multiple of {interval}.", reason="format")
        known = rows if until_ns is None else rows.where(rows.open_ns + step <= until_ns)
        sound = known.sound()
        facts.broken += int(sound.size - sound.sum())
        known = known.where(sound)
        if np.any(known.open_ns <= facts.last_open_ns[known.symbol]):
            raise _unordered(table)
        if known.open_ns.size:
            facts.learn(known)
    return facts


def _unordered(table: PackTable) -> InputError:
    return InputError(f"{table.path}: bars of one symbol are not in rising order of time.", reason="format")


def _steps(table: PackTable, rows: Rows) -> Integers:
    """Distances of neighbouring bars of one symbol; rows are symbol after symbol.

    Raises
    ------
    InputError
        If bars of one symbol are not in rising order of time.
    """
    steps: Integers = np.diff(rows.open_ns)[np.diff(rows.symbol) == 0]
    if steps.size and steps.min() <= 0:
        raise _unordered(table)
    return steps


def _interval(table: PackTable) -> Interval:
    """The smallest distance of neighbouring bars in the first batch that has any."""
    found_steps = (steps for rows in table.batches() if (steps := _steps(table, rows.by_symbol())).size)
    first = next(found_steps, None)
    if first is None:
        raise InputError(f"{table.path} holds fewer than two bars of one symbol.", reason="interval")
    smallest = int(first.min())
    found = next((name for name, step in INTERVAL_NS.items() if step == smallest), None)
    if found is None:
        raise InputError(
            f"{table.path}: its bars are {smallest / 1e9:g} s apart; intervals are {', '.join(INTERVAL_NS)}.",
            reason="interval",
        )
    return found


def _place(table: PackTable, venue: str | None, kind: Kind | None, notes: list[str]) -> tuple[str, Kind]:
    """Venue and kind: as told, else as the names of file and folder say, else assumed and noted."""
    words = table.location.words
    if venue is None:
        venue = next((word for word in words if word in _VENUES), None)
        if venue is None:
            venue = "binance"
            notes.append("The file does not name its venue; binance is assumed.")
    if kind is None:
        kind = next((_KIND_OF_WORD[word] for word in words if word in _KIND_OF_WORD), None)
        if kind is None:
            kind = "spot"
            notes.append("The file does not name the kind of its instruments; spot is assumed.")
    return venue, kind


def _instrument(symbol: str, venue: str, kind: Kind) -> Instrument:
    """The instrument of a symbol, joined or with a separator.

    Raises
    ------
    InputError
        If it cannot be split, or its parts name no asset.
    """
    text = symbol.upper()
    base, split, quote = text.replace("/", "-").replace("_", "-").partition("-")
    if not split:
        asset = next((asset for asset in QUOTES if text.endswith(asset) and text != asset), None)
        if asset is None:
            raise InputError("its quote asset is not known")
        base, quote = text.removesuffix(asset), asset
    return Instrument(venue, base, quote.partition(":")[0], kind)


class PackSurvey(msgspec.Struct, frozen=True):
    """What one pass over a pack learns: enough to read any of its instruments later, anywhere.

    Parameters
    ----------
    place
        The file or folder, or its URL.
    fingerprint
        Changes with the files.
    interval, period
        Length of each bar; open of the first bar and close of the last, ns UTC.
    symbols, specs
        By column: what the pack calls the instrument, and its rules.
    notes
        What was assumed or left out, one sentence each.
    bars
        Number of bars of the instruments.
    """

    place: str
    fingerprint: str
    interval: Interval
    period: tuple[int, int]
    symbols: tuple[str, ...]
    specs: tuple[InstrumentSpec, ...]
    notes: tuple[str, ...]
    bars: int

    def unlike_now(self) -> bool:
        """Whether the files are others than those that were surveyed."""
        return Location(self.place).fingerprint() != self.fingerprint

    def events(self, columns: Sequence[int] | None = None) -> Iterator[Event]:
        """One ``Listed`` per instrument, then blocks of bars, oldest first, read from the files as they are taken.

        Parameters
        ----------
        columns
            The instruments to read; all where absent. Each has the bars that it has among all.
        """
        chosen = range(len(self.specs)) if columns is None else columns
        table = PackTable(self.place, [self.symbols[column] for column in chosen])
        specs = tuple(self.specs[column] for column in chosen)
        yield from _events(table, specs, self.interval, self.period)


def survey_pack(
    place: Path | str, until_ns: int | None = None, venue: str | None = None, kind: Kind | None = None
) -> PackSurvey:
    """What is known of a pack of bars before they are read; see :func:`bar_pack_events`.

    Raises
    ------
    InputError
        If it is no such table, is damaged, or no bar had closed by then.
    """
    table = PackTable(place)
    notes: list[str] = []
    venue, kind = _place(table, venue, kind, notes)
    interval = _interval(table)
    facts = _survey(table, interval, until_ns)
    total = int(facts.bars.sum())
    if not total:
        raise InputError(f"{place} holds no bar that had closed by then.", reason="too_little_history")
    step = INTERVAL_NS[interval]
    end_ns = int(facts.last_open_ns.max()) + step
    specs, symbols = _specs(table, facts, (venue, kind, end_ns, end_ns - step), notes)
    if facts.broken:
        notes.append(f"{facts.broken} rows break 0 < low <= open, close <= high and are taken as absent.")
    if "quote_volume" not in table.states:
        notes.append(
            "quote_volume is approximated as volume x (high + low + close) / 3: the pack states none."
        )
    notes.append("tick and lot are assumed: the smallest decimal step seen in prices and volumes.")
    return PackSurvey(
        place=str(place),
        fingerprint=table.location.fingerprint(),
        interval=interval,
        period=(facts.first_open_ns, end_ns),
        symbols=symbols,
        specs=specs,
        notes=tuple(notes),
        bars=int(facts.bars[[table.symbols[symbol] for symbol in symbols]].sum()),
    )


def bar_pack_events(
    path: Path | str, until_ns: int | None = None, venue: str | None = None, kind: Kind | None = None
) -> PackReplay:
    """The bars of a pack that had closed by a time, as model events.

    Parameters
    ----------
    path
        Parquet or Feather file of bars of one interval, a folder of such files, or the URL of either; ``pack_table``
        says what their columns may be called.
    until_ns
        Only bars whose close is not later are read; nothing in the answer depends on later ones.
    venue, kind
        Whose bars they are; by default what the file's name or folder says, else ``binance`` and ``spot``,
        noted as assumed.

    Raises
    ------
    InputError
        If the file is no such table, is damaged, or no bar had closed by then.

    Notes
    -----
    Packs state no trading rules, and most of them no turnover: tick and lot are the smallest decimal step
    seen in the prices and volumes read, ``quote_volume`` is then volume x (high + low + close) / 3; both are
    said in ``notes``. ``taker_buy_volume`` is NaN where the pack does not state it. The file is read once for
    its facts and once for each block, so that memory is bounded by one block.
    """
    survey = survey_pack(path, until_ns, venue, kind)
    return PackReplay(
        survey.events(),
        survey.notes,
        survey.period,
        tuple(spec.instrument for spec in survey.specs),
        survey.interval,
        survey.bars,
    )


def _specs(
    table: PackTable, facts: _Facts, where: tuple[str, Kind, int, int], notes: list[str]
) -> tuple[tuple[InstrumentSpec, ...], tuple[str, ...]]:
    """The instruments, by identity as the market state has them, and what the table calls each."""
    venue, kind, as_of_ns, last_open_ns = where
    symbols: list[str] = []
    specs: list[InstrumentSpec] = []
    taken: set[Instrument] = set()
    ended = 0
    for symbol, index in sorted(table.symbols.items()):
        if not facts.bars[index]:
            continue
        places, lot_places = int(facts.price_places[index]), int(facts.volume_places[index])
        try:
            instrument = _instrument(symbol, venue, kind)
        except InputError as error:
            notes.append(f"{symbol} is left out: {error.message.rstrip('.')}.")
            continue
        if max(places, lot_places) > MOST_DECIMALS or instrument in taken:
            why = (
                "another symbol names the same" if instrument in taken else "its numbers show no decimal step"
            )
            notes.append(f"{symbol} is left out: {why}.")
            continue
        taken.add(instrument)
        symbols.append(symbol)
        current = last_open_ns - facts.last_open_ns[index] < QUIET_NS
        ended += not current
        specs.append(
            InstrumentSpec(
                instrument=instrument,
                tick=Decimal(1).scaleb(-places),
                lot=Decimal(1).scaleb(-lot_places),
                min_notional=None,
                contract_size=Decimal(1),
                status="trading" if current else "halted",
                funding_interval_s=None,
                max_leverage=None,
                as_of_ns=as_of_ns,
            )
        )
    if not specs:
        raise InputError(f"{table.path}: no instrument is usable: {' '.join(notes)}", reason="format")
    if ended:
        notes.append(f"{ended} instruments have no bar in the last day and are marked halted.")
    order = sorted(range(len(specs)), key=lambda place: specs[place].instrument)
    return tuple(specs[place] for place in order), tuple(symbols[place] for place in order)


def _events(
    table: PackTable, specs: tuple[InstrumentSpec, ...], interval: Interval, period: tuple[int, int]
) -> Iterator[Event]:
    """Events of a table whose symbol ``i`` is instrument ``i``."""
    first_ns, end_ns = period
    for spec in specs:
        yield Listed(spec, first_ns, first_ns)
    span_ns = max(1, MOST_CELLS // len(specs)) * INTERVAL_NS[interval]
    instruments = tuple(spec.instrument for spec in specs)
    for begin_ns in range(first_ns, end_ns, span_ns):
        window = (begin_ns, min(begin_ns + span_ns, end_ns))
        block = _block(table, instruments, interval, window)
        if len(block.open_ns):
            yield block


def _block(
    table: PackTable,
    instruments: tuple[Instrument, ...],
    interval: Interval,
    window: tuple[int, int],
) -> BarBlock:
    step = INTERVAL_NS[interval]
    begin_ns, end_ns = window
    shape = ((end_ns - begin_ns) // step, len(instruments))
    names = (*NEEDED, *table.states)
    held = {name: np.full(shape, np.nan) for name in names}
    for rows in table.batches():
        inside = (rows.open_ns >= begin_ns) & (rows.open_ns < end_ns)
        kept = rows.where(inside & rows.sound())
        at = ((kept.open_ns - begin_ns) // step, kept.symbol)
        for name in names:
            held[name][at] = kept.values[name]
    present = ~np.isnan(held["close"]).all(axis=1)
    open_ns = begin_ns + np.flatnonzero(present).astype(np.int64) * step
    if not present.all():
        held = {name: column[present] for name, column in held.items()}
    for name in table.states:
        held[name][held[name] < 0] = np.nan
    if "quote_volume" not in held:
        held["quote_volume"] = held["volume"] * ((held["high"] + held["low"] + held["close"]) / 3.0)
    if "taker_buy_volume" not in held:
        held["taker_buy_volume"] = np.full(held["close"].shape, np.nan)
    return BarBlock(
        interval=interval,
        instruments=instruments,
        open_ns=open_ns,
        **held,
        event_ns=end_ns,
        receive_ns=end_ns,
    )
