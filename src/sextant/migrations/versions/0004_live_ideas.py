"""Ideas that scans have told to somebody, followed to their end."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the table, and find opportunities by the time they were found."""
    op.create_table(
        "live_ideas",
        sa.Column("strategy_id", sa.String(length=64), nullable=False),
        sa.Column("opportunity_key", sa.String(length=64), nullable=False),
        sa.Column("as_of_ns", sa.BigInteger(), nullable=False),
        sa.Column("idea", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.LargeBinary(), nullable=True),
        sa.Column("entered_ns", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("resolved_ns", sa.BigInteger(), nullable=True),
        sa.Column("gross_bps", sa.Float(), nullable=True),
        sa.Column("net_bps", sa.Float(), nullable=True),
        sa.Column("adverse_bps", sa.Float(), nullable=True),
        sa.Column("favourable_bps", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("strategy_id", "opportunity_key", name="pk_live_ideas"),
    )
    op.create_index("ix_live_ideas_result_as_of_ns", "live_ideas", ["result", "as_of_ns"])
    op.create_index("ix_live_ideas_strategy_id_resolved_ns", "live_ideas", ["strategy_id", "resolved_ns"])
    op.create_index("ix_opportunities_discovered_ns", "opportunities", ["discovered_ns"])


def downgrade() -> None:
    """Remove the table and the index."""
    op.drop_index("ix_opportunities_discovered_ns", table_name="opportunities")
    op.drop_table("live_ideas")
