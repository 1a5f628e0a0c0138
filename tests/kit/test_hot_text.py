from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from sextant.kit.hot_text import text_of

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("name", sa.String(8)),
    sa.Column("facts", sa.JSON),
    sa.Column("on", sa.Boolean),
)
SELECT = (
    sa.select(TABLE)
    .where(TABLE.c.on.is_(True), TABLE.c.name != "x", TABLE.c.name == sa.bindparam("name"))
    .limit(sa.bindparam("most"))
)


def test_values_come_in_the_order_of_the_marks_and_stated_ones_by_themselves() -> None:
    text = text_of(SELECT, asyncpg.dialect())  # type: ignore[no-untyped-call]  # a library
    assert text.sql.count("$") == 3
    assert text.arguments({"most": 5, "name": "a"}) == ["x", "a", 5]


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(KeyError):
        text_of(SELECT, sqlite.dialect()).arguments({"most": 5})


def test_a_row_has_names_and_the_types_of_its_columns() -> None:
    row = text_of(SELECT, sqlite.dialect()).row(("a", '{"b": [1]}', 1))
    assert (row.name, row.facts, row.on) == ("a", {"b": [1]}, True)
    assert text_of(sa.select(TABLE.c.name), sqlite.dialect()).row(("a",)).name == "a"
