"""How alembic reaches the database: on the connection, and in the transaction, that it was given."""

from __future__ import annotations

from alembic import context

from sextant.kit.db import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    render_as_batch=False,
)
context.run_migrations()
