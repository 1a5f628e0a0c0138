"""Packs of bars: Parquet or Feather tables of one interval as model events, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.bar import BarBlock, Floats, Integers
from sextant.model.events import Event, Listed
from sextant.model.instrument import FIAT_ASSETS, STABLE_ASSETS, Instrument, InstrumentSpec, Kind
from sextant.model.times import DAY_NS, INTERVAL_NS, Interval

COLUMNS: Final = ("open", "high", "low", "close", "volume")
QUOTES: Final = tuple(
    sorted(STABLE_ASSETS | FIAT_ASSETS | {"BTC", "ETH", "BNB"}, key=lambda asset: (-len(asset), asset))
)
"""Quote assets by which a joined symbol is split, longest first."""

MOST_CELLS: Final = 1 << 20  # bars of one block; seven columns of them are 56 MiB
BATCH_ROWS: Final = 1 << 17
SUM_NOISE: Final = 1e-13  # about 450 roundings of float64
QUIET_NS: Final = DAY_NS  # no bar for a day before the end: not trading any more
MOST_DECIMALS: Final = 12  # finer prices are rounding noise of a computation, not a venue's step

_DAMAGE: Final = (pa.ArrowException, OSError, ValueError)  # what pyarrow raises over damaged bytes
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


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of the table: which symbol (index), open time, and five columns."""

    symbol: NDArray[np.int64]
    open_ns: Integers
    values: Mapping[str, Floats]

    def where(self, kept: NDArray[np.bool_]) -> _Rows:
        return _Rows(
            self.symbol[kept],
            self.open_ns[kept],
            {name: column[kept] for name, column in self.values.items()},
        )

    def sound(self) -> NDArray[np.bool_]:
        """Which rows are bars that a market can have traded."""
        v = self.values
        with np.errstate(invalid="ignore"):
            ordered = (v["low"] > 0) & (v["low"] <= np.minimum(v["open"], v["close"]))
            ordered &= (v["high"] >= np.maximum(v["open"], v["close"])) & (v["high"] < np.inf)
            return ordered & (v["volume"] >= 0) & (v["volume"] < np.inf)


class _Table:
    """The file: symbols, and batches of rows in file order, as often as asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.parquet = file.read(4) == b"PAR1"
            schema = pq.read_schema(path) if self.parquet else pa.ipc.open_file(path).schema
            names = schema.names
        except _DAMAGE as error:
            raise InputError(f"{path} is no Parquet or Feather file: {error}.", reason="format") from error
        missing = [name for name in ("date", *COLUMNS) if name not in names]
        if missing:
            raise InputError(
                f"{path} is no pack of bars: it lacks {', '.join(missing)} and has {', '.join(names)}.",
                reason="format",
            )
        if not pa.types.is_timestamp(schema.field("date").type):
            raise InputError(
                f"{path}: column date is {schema.field('date').type}, not a time.", reason="format"
            )
        if "symbol" in names and not _is_text(schema.field("symbol").type):
            raise InputError(
                f"{path}: column symbol is {schema.field('symbol').type}, not text.", reason="format"
            )
        self.own_symbol = None if "symbol" in names else path.name.split("-")[0]
        self.symbols: dict[str, int] = {}

    def batches(self) -> Iterator[_Rows]:
        """All rows, in batches.

        Raises
        ------
        InputError
            If the file ends early or is damaged; says how many rows were read.
        """
        names = [*([] if self.own_symbol else ["symbol"]), "date", *COLUMNS]
        read = 0
        try:
            for batch in self._record_batches(names):
                batch.validate(full=True)  # damaged offsets are not seen in reading, and read foreign memory
                read += batch.num_rows
                yield self._rows(batch)
        except _DAMAGE as error:
            raise InputError(
                f"{self.path} is damaged after {read} rows: {error}.", reason="damaged"
            ) from error

    def _record_batches(self, names: list[str]) -> Iterator[Any]:
        if self.parquet:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names)
            return
        with pa.ipc.open_file(self.path) as file:
            for number in range(file.num_record_batches):
                yield file.get_batch(number).select(names)

    def _rows(self, batch: Any) -> _Rows:
        if self.own_symbol is None:
            encoded = batch.column("symbol")
            if not pa.types.is_dictionary(encoded.type):
                encoded = encoded.dictionary_encode()
            index = [
                self.symbols.setdefault(text, len(self.symbols)) for text in encoded.dictionary.to_pylist()
            ]
            symbol = np.array(index, dtype=np.int64)[self._array(encoded.indices, "symbol")]
        else:
            self.symbols.setdefault(self.own_symbol, 0)
            symbol = np.zeros(batch.num_rows, dtype=np.int64)
        # Casting first makes every stored unit (ms, us, ns) the same.
        times = pc.cast(pc.cast(batch.column("date"), pa.timestamp("ns", tz="UTC")), pa.int64())
        return _Rows(
            symbol,
            self._array(times, "date"),
            {
                name: self._array(_with_nan(pc.cast(batch.column(name), pa.float64())), name)
                for name in COLUMNS
            },
        )

    def _array(self, column: Any, name: str) -> NDArray[Any]:
        """The column without a copy; ``to_numpy`` would import pandas, where it is installed, for 0.7 s."""
        if column.null_count:
            raise InputError(
                f"{self.path}: column {name} has {column.null_count} empty rows.", reason="format"
            )
        return np.from_dlpack(column)


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _with_nan(column: Any) -> Any:
    return pc.fill_null(column, float("nan")) if column.null_count else column


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

    def learn(self, rows: _Rows) -> None:
        """Add a batch of sound rows."""
        order = np.argsort(rows.symbol, kind="stable")
        which, starts = np.unique(rows.symbol[order], return_index=True)
        for symbol, part in zip(which, np.split(order, starts[1:]), strict=True):
            prices = np.concatenate([rows.values[name][part] for name in COLUMNS[:4]])
            self.bars[symbol] += part.size
            self.last_open_ns[symbol] = max(self.last_open_ns[symbol], rows.open_ns[part].max())
            self.price_places[symbol] = _decimals(prices, int(self.price_places[symbol]))
            self.volume_places[symbol] = _decimals(
                rows.values["volume"][part], int(self.volume_places[symbol]), SUM_NOISE
            )
        self.first_open_ns = min(self.first_open_ns, int(rows.open_ns.min()))


MOST_SYMBOLS: Final = 10_000


def _survey(table: _Table, interval: Interval, until_ns: int | None) -> _Facts:
    facts = _Facts(
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.zeros(MOST_SYMBOLS, dtype=np.int64),
        np.iinfo(np.int64).max,
        0,
    )
    step = INTERVAL_NS[interval]
    for rows in table.batches():
        if len(table.symbols) > MOST_SYMBOLS:
            raise InputError(f"{table.path} holds over {MOST_SYMBOLS} symbols, the most of one pack.")
        _steps(table, rows)
        if np.any(rows.open_ns % step):
            raise InputError(f"{table.path}: an open time is no multiple of {interval}.", reason="format")
        known = rows if until_ns is None else rows.where(rows.open_ns + step <= until_ns)
        sound = known.sound()
        facts.broken += int(sound.size - sound.sum())
        known = known.where(sound)
        if known.open_ns.size:
            facts.learn(known)
    return facts


def _steps(table: _Table, rows: _Rows) -> Integers:
    """Distances of neighbouring bars of one symbol.

    Raises
    ------
    InputError
        If bars of one symbol are not in rising order of time.
    """
    steps: Integers = np.diff(rows.open_ns)[np.diff(rows.symbol) == 0]
    if steps.size and steps.min() <= 0:
        raise InputError(
            f"{table.path}: bars of one symbol are not in rising order of time.", reason="format"
        )
    return steps


def _interval(table: _Table) -> Interval:
    """The smallest distance of neighbouring bars in the first batch that has any."""
    found_steps = (steps for rows in table.batches() if (steps := _steps(table, rows)).size)
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


def _place(path: Path, venue: str | None, kind: Kind | None, notes: list[str]) -> tuple[str, Kind]:
    """Venue and kind: as told, else as the names of file and folder say, else assumed and noted."""
    words = [*path.stem.lower().replace("-", "_").split("_"), path.parent.name.lower()]
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


def _instrument(symbol: str, venue: str, kind: Kind) -> Instrument | None:
    base, split, quote = symbol.replace("/", "_").partition("_")
    if split:
        return Instrument(venue, base.upper(), quote.partition(":")[0].upper(), kind)
    for asset in QUOTES:
        if symbol.endswith(asset) and len(symbol) > len(asset):
            return Instrument(venue, symbol[: -len(asset)], asset, kind)
    return None


def bar_pack_events(
    path: Path, until_ns: int | None = None, venue: str | None = None, kind: Kind | None = None
) -> PackReplay:
    """The bars of a pack that had closed by a time, as model events.

    Parameters
    ----------
    path
        Parquet or Feather file with columns date, open, high, low, close, volume and, where it holds
        several instruments, symbol.
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
    Packs state neither turnover nor trading rules. ``quote_volume`` is volume x (high + low + close) / 3;
    tick and lot are the smallest decimal step seen in the prices and volumes read; both are said in
    ``notes``. ``taker_buy_volume`` is NaN. Two passes are made, and memory is bounded by one block.
    """
    table = _Table(Path(path))
    notes: list[str] = []
    venue, kind = _place(table.path, venue, kind, notes)
    interval = _interval(table)
    facts = _survey(table, interval, until_ns)
    total = int(facts.bars.sum())
    if not total:
        raise InputError(f"{path} holds no bar that had closed by then.", reason="too_little_history")
    step = INTERVAL_NS[interval]
    end_ns = int(facts.last_open_ns.max()) + step
    specs, columns = _specs(table, facts, (venue, kind, end_ns, end_ns - step), notes)
    if facts.broken:
        notes.append(f"{facts.broken} rows break 0 < low <= open, close <= high and are taken as absent.")
    notes.append("quote_volume is approximated as volume x (high + low + close) / 3: the pack states none.")
    notes.append("tick and lot are assumed: the smallest decimal step seen in prices and volumes.")
    period = (facts.first_open_ns, end_ns)
    return PackReplay(
        _events(table, specs, columns, interval, period),
        tuple(notes),
        period,
        tuple(spec.instrument for spec in specs),
        interval,
        int(facts.bars[: columns.size][columns >= 0].sum()),
    )


def _specs(
    table: _Table, facts: _Facts, where: tuple[str, Kind, int, int], notes: list[str]
) -> tuple[tuple[InstrumentSpec, ...], NDArray[np.int64]]:
    """The instruments, and the column of each symbol (-1: left out)."""
    venue, kind, as_of_ns, last_open_ns = where
    columns = np.full(len(table.symbols), -1, dtype=np.int64)
    specs: list[InstrumentSpec] = []
    ended = 0
    for symbol, index in sorted(table.symbols.items()):
        if not facts.bars[index]:
            continue
        instrument = _instrument(symbol, venue, kind)
        places, lot_places = int(facts.price_places[index]), int(facts.volume_places[index])
        if instrument is None or max(places, lot_places) > MOST_DECIMALS:
            reason = (
                "its quote asset is not known" if instrument is None else "its numbers show no decimal step"
            )
            notes.append(f"{symbol} is left out: {reason}.")
            continue
        columns[index] = len(specs)
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
    return tuple(specs), columns


def _events(
    table: _Table,
    specs: tuple[InstrumentSpec, ...],
    columns: NDArray[np.int64],
    interval: Interval,
    period: tuple[int, int],
) -> Iterator[Event]:
    first_ns, end_ns = period
    for spec in specs:
        yield Listed(spec, first_ns, first_ns)
    span_ns = max(1, MOST_CELLS // len(specs)) * INTERVAL_NS[interval]
    instruments = tuple(spec.instrument for spec in specs)
    for begin_ns in range(first_ns, end_ns, span_ns):
        window = (begin_ns, min(begin_ns + span_ns, end_ns))
        block = _block(table, instruments, columns, interval, window)
        if len(block.open_ns):
            yield block


def _block(
    table: _Table,
    instruments: tuple[Instrument, ...],
    columns: NDArray[np.int64],
    interval: Interval,
    window: tuple[int, int],
) -> BarBlock:
    step = INTERVAL_NS[interval]
    begin_ns, end_ns = window
    shape = ((end_ns - begin_ns) // step, len(instruments))
    held = {name: np.full(shape, np.nan) for name in COLUMNS}
    for rows in table.batches():
        inside = (rows.open_ns >= begin_ns) & (rows.open_ns < end_ns) & (columns[rows.symbol] >= 0)
        kept = rows.where(inside & rows.sound())
        at = ((kept.open_ns - begin_ns) // step, columns[kept.symbol])
        for name in COLUMNS:
            held[name][at] = kept.values[name]
    present = ~np.isnan(held["close"]).all(axis=1)
    open_ns = begin_ns + np.flatnonzero(present).astype(np.int64) * step
    if not present.all():
        held = {name: column[present] for name, column in held.items()}
    return BarBlock(
        interval=interval,
        instruments=instruments,
        open_ns=open_ns,
        **held,
        quote_volume=held["volume"] * ((held["high"] + held["low"] + held["close"]) / 3.0),
        taker_buy_volume=np.full(held["close"].shape, np.nan),
        event_ns=end_ns,
        receive_ns=end_ns,
    )
