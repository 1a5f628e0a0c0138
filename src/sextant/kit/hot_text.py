"""A select in the words of one driver: its text, the order of its parameters, and how a raw row is read."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa


class HotText:
    """A statement that a driver can run without anything between.

    Parameters
    ----------
    sql
        With the driver's marks for parameters.
    names
        Parameters in the order of those marks.
    given
        Values that the select itself states.
    readers
        Column name and what makes the driver's value ours, or None where it is already, in order.
    """

    def __init__(
        self,
        sql: str,
        names: Iterable[str],
        given: Mapping[str, Any],
        readers: Iterable[tuple[str, Callable[[Any], Any] | None]],
    ) -> None:
        columns = list(readers)
        self.sql = sql
        self._names = tuple(names)
        self._given = dict(given)
        self._row: Any = namedtuple("Row", [name for name, _ in columns])  # type: ignore[misc]  # noqa: PYI024  # made of data
        self._readers = tuple((place, read) for place, (_, read) in enumerate(columns) if read is not None)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values of a call in the order of the marks.

        Raises
        ------
        KeyError
            If a parameter has no value.
        """
        given = self._given
        return [values[name] if name in values else given[name] for name in self._names]

    def row(self, raw: Iterable[Any]) -> Any:
        """A driver's row with its columns by name."""
        if not self._readers:
            return self._row._make(raw)
        items = list(raw)
        for place, read in self._readers:
            items[place] = read(items[place])
        return self._row._make(items)


def text_of(select: sa.Select[Any], dialect: sa.Dialect) -> HotText:
    """A select as the driver of a dialect takes it; parameters that the select states have their values."""
    compiled = select.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    names = compiled.positiontup or ()
    stated = {name: value for name, value in compiled.params.items() if value is not None}
    columns = select.selected_columns
    readers = [
        (str(column.key), column.type.dialect_impl(dialect).result_processor(dialect, None))
        for column in columns
    ]
    return HotText(str(compiled), names, stated, readers)
