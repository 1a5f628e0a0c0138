"""Tables of bars on disk: which columns stand for what, and rows in batches, as often as asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    """A Parquet or Feather file of bars.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it is no such file, or lacks a column; names what it has.

    Notes
    -----
    A file without a column of symbols holds one instrument, named by its own name up to a dash.
    ``symbols`` grows while batches are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._parquet = file.read(4) == b"PAR1"
            schema = pq.read_schema(path) if self._parquet else pa.ipc.open_file(path).schema
            names = schema.names
        except _DAMAGE as error:
            raise InputError(f"{path} is no Parquet or Feather file: {error}.", reason="format") from error
        self._columns = _columns(path, names)
        kind = schema.field(self._columns["time"]).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_int64(kind)):
            raise InputError(
                f"{path}: column {self._columns['time']} is {kind}, not a time.", reason="format"
            )
        spelled = self._columns.get("symbol")
        if spelled is not None and not _is_text(schema.field(spelled).type):
            raise InputError(
                f"{path}: column {spelled} is {schema.field(spelled).type}, not text.", reason="format"
            )
        self._own_symbol = path.name.split("-")[0] if spelled is None else ""
        self.symbols: dict[str, int] = {}
        self.states = frozenset(name for name in OPTIONAL if name in self._columns)
        """Which of ``OPTIONAL`` the file states."""

    def batches(self) -> Iterator[Rows]:
        """All rows, in batches.

        Raises
        ------
        InputError
            If the file ends early or is damaged; says how many rows were read.
        """
        read = 0
        try:
            for batch in self._record_batches():
                batch.validate(full=True)  # damaged offsets are not seen in reading, and read foreign memory
                read += batch.num_rows
                yield self._rows(batch)
        except _DAMAGE as error:
            raise InputError(
                f"{self.path} is damaged after {read} rows: {error}.", reason="damaged"
            ) from error

    def _record_batches(self) -> Iterator[Any]:
        names = list(self._columns.values())
        if self._parquet:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names)
            return
        with pa.ipc.open_file(self.path) as file:
            for number in range(file.num_record_batches):
                yield file.get_batch(number).select(names)

    def _rows(self, batch: Any) -> Rows:
        values = {}
        for name in (*NEEDED, *self.states):
            column = pc.cast(batch.column(self._columns[name]), pa.float64())
            # A fill of a whole column would import pandas, where it is installed, for 0.7 s.
            values[name] = self._array(
                pc.fill_null(column, float("nan")) if column.null_count else column, name
            )
        return Rows(self._symbol_of(batch), self._times(batch.column(self._columns["time"])), values)

    def _symbol_of(self, batch: Any) -> Integers:
        if self._own_symbol:
            self.symbols.setdefault(self._own_symbol, 0)
            return np.zeros(batch.num_rows, dtype=np.int64)
        encoded = batch.column(self._columns["symbol"])
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_encode()
        index = [self.symbols.setdefault(text, len(self.symbols)) for text in encoded.dictionary.to_pylist()]
        of_row: Integers = np.array(index, dtype=np.int64)[self._array(encoded.indices, "symbol")]
        return of_row

    def _times(self, column: Any) -> Integers:
        if pa.types.is_timestamp(column.type):
            # Casting first makes every stored unit (ms, us, ns) the same.
            column = pc.cast(pc.cast(column, pa.timestamp("ns", tz="UTC")), pa.int64())
            return self._array(column, "time")
        times: Integers = self._array(column, "time")
        return times * _unit_ns(int(times[-1])) if times.size else times

    def _array(self, column: Any, name: str) -> NDArray[Any]:
        """The column without a copy; ``to_numpy`` would import pandas as well."""
        if column.null_count:
            raise InputError(
                f"{self.path}: column {self._columns[name]} has {column.null_count} empty rows.",
                reason="format",
            )
        return np.from_dlpack(column)


def _columns(path: Path, names: list[str]) -> dict[str, str]:
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
