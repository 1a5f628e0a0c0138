"""Tables of bars on disk: which columns stand for what, and rows in batches, as often as asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.bar import Floats, Integers
from sextant.model.times import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS
from sextant.venues.pack_files import Location, PackFile

PRICES: Final = ("open", "high", "low", "close")
NEEDED: Final = (*PRICES, "volume")
OPTIONAL: Final = ("quote_volume", "taker_buy_volume")
BATCH_ROWS: Final = 1 << 17

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("date", "timestamp", "time", "open_time", "datetime"),
    "symbol": ("symbol", "pair", "instrument"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v"),
    "quote_volume": ("quote_volume", "quote_asset_volume", "turnover"),
    "taker_buy_volume": ("taker_buy_volume", "taker_buy_base_asset_volume"),
}
"""What each column may be called; the first that a file has counts."""

_SEVERAL: Final = frozenset({"coin", "base", "venue", "exchange"})
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError)  # what pyarrow raises over damaged bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table.

    Parameters
    ----------
    symbol
        int64 (n,): index of the symbol of each row.
    open_ns
        int64 (n,): open times.
    values
        float64 (n,) by name of ``NEEDED`` and of what the table has of ``OPTIONAL``; NaN where absent.
    """

    symbol: Integers
    open_ns: Integers
    values: Mapping[str, Floats]

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        """The rows of a mask."""
        return Rows(
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

    def by_symbol(self) -> Rows:
        """The same rows, symbol after symbol, each in the order of the file."""
        if np.all(self.symbol[1:] >= self.symbol[:-1]):
            return self
        order = np.argsort(self.symbol, kind="stable")
        return Rows(
            self.symbol[order],
            self.open_ns[order],
            {name: column[order] for name, column in self.values.items()},
        )


class PackTable:
    """Bars in a Parquet or Feather file, or in a folder of them, on this machine or in an object store.

    Parameters
    ----------
    path
        The file or folder, or its URL.
    only
        The symbols to read, which become symbols 0, 1, ...; all where absent. Files and groups of rows that hold
        none of them are not read.

    Raises
    ------
    InputError
        If it is no such file, or lacks a column; names what it has.

    Notes
    -----
    A file without a column of symbols holds one instrument, named by a folder ``symbol=...`` above it, else by its own
    name up to a dash. Files of a folder are read in the order of their paths. ``symbols`` grows while batches are read.
    """

    def __init__(self, path: Path | str, only: Sequence[str] | None = None) -> None:
        self.path = path
        self.location = Location(path)
        self._files = [_Table(file) for file in self.location.files()]
        self._only = None if only is None else frozenset(only)
        self.symbols: dict[str, int] = {symbol: index for index, symbol in enumerate(only or ())}
        self.states = frozenset(
            name for name in OPTIONAL if all(name in file.columns for file in self._files)
        )
        """Which of ``OPTIONAL`` every file states."""

    def batches(self) -> Iterator[Rows]:
        """All rows, in batches.

        Raises
        ------
        InputError
            If the file ends early or is damaged; says how many rows were read.
        """
        for table in self._files:
            read = 0
            try:
                for batch in table.record_batches(self._only):
                    batch.validate(
                        full=True
                    )  # damaged offsets are not seen in reading, and read foreign memory
                    read += batch.num_rows
                    yield self._rows(table, batch)
            except _DAMAGE as error:
                raise InputError(
                    f"{table.file.path} is damaged after {read} rows: {error}.", reason="damaged"
                ) from error

    def _rows(self, table: _Table, batch: Any) -> Rows:
        values = {}
        for name in (*NEEDED, *sorted(self.states)):
            column = pc.cast(batch.column(table.columns[name]), pa.float64())
            # A fill of a whole column would import pandas, where it is installed, for 0.7 s.
            values[name] = table.array(
                pc.fill_null(column, float("nan")) if column.null_count else column, name
            )
        rows = Rows(self._symbol_of(table, batch), table.times(batch), values)
        return rows if self._only is None else rows.where(rows.symbol >= 0)

    def _symbol_of(self, table: _Table, batch: Any) -> Integers:
        if table.own_symbol:
            return np.full(batch.num_rows, self._index(table.own_symbol), dtype=np.int64)
        encoded = batch.column(table.columns["symbol"])
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_encode()
        index = [self._index(text) for text in encoded.dictionary.to_pylist()]
        of_row: Integers = np.array(index, dtype=np.int64)[table.array(encoded.indices, "symbol")]
        return of_row

    def _index(self, symbol: str) -> int:
        """The number of a symbol; -1 for one that is not asked for."""
        if self._only is not None:
            return self.symbols[symbol] if symbol in self._only else -1
        return self.symbols.setdefault(symbol, len(self.symbols))


class _Table:
    """One file of a pack: what its columns are called, and its rows as they are stored."""

    def __init__(self, file: PackFile) -> None:
        self.file = file
        try:
            with file.opened() as source:
                self._parquet = source.read(4) == b"PAR1"
            with file.opened() as source:
                schema = pq.read_schema(source) if self._parquet else pa.ipc.open_file(source).schema
            names = schema.names
        except _DAMAGE as error:
            raise InputError(
                f"{file.path} is no Parquet or Feather file: {error}.", reason="format"
            ) from error
        self.columns = _columns(file.path, names)
        kind = schema.field(self.columns["time"]).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_int64(kind)):
            raise InputError(
                f"{file.path}: column {self.columns['time']} is {kind}, not a time.", reason="format"
            )
        spelled = self.columns.get("symbol")
        if spelled is not None and not _is_text(schema.field(spelled).type):
            raise InputError(
                f"{file.path}: column {spelled} is {schema.field(spelled).type}, not text.", reason="format"
            )
        self.own_symbol = file.named(SPELLINGS["symbol"]) if spelled is None else ""

    def record_batches(self, only: frozenset[str] | None) -> Iterator[Any]:
        """The rows of the columns that are read; groups that hold none of the symbols are left out."""
        if only is not None and self.own_symbol and self.own_symbol not in only:
            return
        names = list(self.columns.values())
        with self.file.opened() as source:
            if self._parquet:
                with pq.ParquetFile(source) as parquet:
                    groups = self._groups(parquet.metadata, only)
                    yield from parquet.iter_batches(batch_size=BATCH_ROWS, row_groups=groups, columns=names)
                return
            with pa.ipc.open_file(source) as feather:
                for number in range(feather.num_record_batches):
                    yield feather.get_batch(number).select(names)

    def _groups(self, metadata: Any, only: frozenset[str] | None) -> list[int]:
        every = range(metadata.num_row_groups)
        spelled = self.columns.get("symbol")
        if only is None or spelled is None:
            return list(every)
        place = next(
            number for number in range(metadata.num_columns) if metadata.schema.column(number).path == spelled
        )
        kept = []
        for group in every:
            known = metadata.row_group(group).column(place).statistics
            if known is None or not known.has_min_max or any(known.min <= name <= known.max for name in only):
                kept.append(group)
        return kept

    def times(self, batch: Any) -> Integers:
        """Open times, ns UTC, int64 (n,)."""
        column = batch.column(self.columns["time"])
        if pa.types.is_timestamp(column.type):
            # Casting first makes every stored unit (ms, us, ns) the same.
            column = pc.cast(pc.cast(column, pa.timestamp("ns", tz="UTC")), pa.int64())
            return self.array(column, "time")
        times: Integers = self.array(column, "time")
        return times * _unit_ns(int(times[-1])) if times.size else times

    def array(self, column: Any, name: str) -> NDArray[Any]:
        """The column without a copy; ``to_numpy`` would import pandas as well."""
        if column.null_count:
            raise InputError(
                f"{self.file.path}: column {self.columns[name]} has {column.null_count} empty rows.",
                reason="format",
            )
        return np.from_dlpack(column)


def _columns(path: str, names: list[str]) -> dict[str, str]:
    """The file's own name of each column it has."""
    found = {
        role: next(name for name in spellings if name in names)
        for role, spellings in SPELLINGS.items()
        if not set(spellings).isdisjoint(names)
    }
    missing = [SPELLINGS[role][0] for role in ("time", *NEEDED) if role not in found]
    if "symbol" not in found and not _SEVERAL.isdisjoint(names):
        missing.insert(0, "symbol")  # the rows are of several instruments, and no column names base and quote
    if missing:
        raise InputError(
            f"{path} is no pack of bars: it lacks {', '.join(missing)} and has {', '.join(names)}.",
            reason="format",
        )
    return found


def _unit_ns(time: int) -> int:
    """Nanoseconds of the unit in which a time of this century is such a number."""
    for unit in (SECOND_NS, MILLISECOND_NS, MICROSECOND_NS):
        if time * unit < 1 << 62:  # the year 2116
            return unit
    return 1


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
