"""Past events of strategies, stored once and before cost."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the table of events."""
    op.create_table(
        "evidence_events",
        sa.Column("strategy_id", sa.String(length=64), nullable=False),
        sa.Column("params_key", sa.String(length=32), nullable=False),
        sa.Column("instrument", sa.String(length=128), nullable=False),
        sa.Column("entry_ns", sa.BigInteger(), nullable=False),
        sa.Column("exit_ns", sa.BigInteger(), nullable=False),
        sa.Column("exit_rows", sa.Integer(), nullable=False),
        sa.Column("entry_rows", sa.Integer(), nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("cell", sa.SmallInteger(), nullable=False),
        sa.Column("gross", sa.Float(), nullable=False),
        sa.Column("funded", sa.Boolean(), nullable=False),
        sa.Column("exit_kind", sa.SmallInteger(), nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("adverse", sa.Float(), nullable=False),
        sa.Column("favourable", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(
            "strategy_id", "params_key", "instrument", "entry_ns", name="pk_evidence_events"
        ),
    )


def downgrade() -> None:
    """Remove the events."""
    op.drop_table("evidence_events")
