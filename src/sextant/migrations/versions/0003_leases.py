"""Leases of scans with fencing tokens, what any process needs to run one, and the queue of PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.util import await_only

from sextant.kit.queue import install_script, uninstall_script

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None

_COLUMNS: Final = ("inputs", "lease_holder", "lease_token", "lease_takes", "lease_until_ns")


def upgrade() -> None:
    """Add what a scan's runner writes; each column may be left out, so the release before goes on working."""
    op.add_column("scans", sa.Column("inputs", sa.LargeBinary(), nullable=True))
    op.add_column("scans", sa.Column("lease_holder", sa.String(length=64), nullable=True))
    op.add_column("scans", sa.Column("lease_token", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("scans", sa.Column("lease_takes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("scans", sa.Column("lease_until_ns", sa.BigInteger(), nullable=True))
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=8), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("code_version", sa.String(length=64), nullable=False),
        sa.Column("instruments", sa.LargeBinary(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name="pk_workers"),
    )
    _on_postgresql(install_script())


def downgrade() -> None:
    """Remove the queue, the workers and the lease columns; scans and their results stay."""
    _on_postgresql(uninstall_script())
    op.drop_table("workers")
    for column in reversed(_COLUMNS):
        op.drop_column("scans", column)


def _on_postgresql(script: str) -> None:
    """Run many statements at once, in the transaction of the migration; only the driver itself can do so."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        driver: Any = bind.connection.driver_connection
        await_only(driver.execute(script))
