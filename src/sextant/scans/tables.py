"""The tables of scans: one row per scan, per strategy, per event, per step and per opportunity."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from sextant.kit.db import METADATA

SCANS: Final = sa.Table(
    "scans",
    METADATA,
    sa.Column("scan_id", sa.String(40), primary_key=True),
    sa.Column("user_id", sa.String(36), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("outcome", sa.String(12)),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("message", sa.String(500), nullable=False),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("unmatched", sa.JSON, nullable=False),
    sa.Column("total_strategies", sa.Integer, nullable=False),
    sa.Column("ended_strategies", sa.Integer, nullable=False),
    sa.Column("found_count", sa.Integer, nullable=False),
    sa.Column("outcomes", sa.JSON, nullable=False),
    sa.Column("started_ns", sa.BigInteger, nullable=False),
    sa.Column("updated_ns", sa.BigInteger, nullable=False),
    sa.Column("finished_ns", sa.BigInteger),
    sa.Column("as_of_ns", sa.BigInteger),
    sa.Column("view_hash", sa.String(32)),
    sa.Column("code_version", sa.String(64), nullable=False),
    sa.Column("feed", sa.String(8), nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("error", sa.LargeBinary),
    sa.Column("universe_count", sa.Integer),
    sa.Column("tiers", sa.JSON, nullable=False),
    sa.Column("recommendations", sa.LargeBinary, nullable=False),
    sa.Column("phase_ms", sa.JSON, nullable=False),
    sa.Column("inputs", sa.LargeBinary),
    sa.Column("lease_holder", sa.String(64)),
    sa.Column("lease_token", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_takes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until_ns", sa.BigInteger),
    sa.Index("ix_scans_user_id_started_ns", "user_id", "started_ns"),
    sa.Index("ix_scans_started_ns", "started_ns"),
    sa.Index(
        "uq_scans_running",
        "user_id",
        unique=True,
        sqlite_where=sa.text("status = 'scanning'"),
        postgresql_where=sa.text("status = 'scanning'"),
    ),
)
"""``uq_scans_running`` lets a user have one running scan, whoever races to start a second."""

STRATEGIES: Final = sa.Table(
    "scan_strategies",
    METADATA,
    sa.Column("scan_id", sa.ForeignKey("scans.scan_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("report", sa.LargeBinary, nullable=False),
    sa.Column("coverage", sa.LargeBinary),
)

EVENTS: Final = sa.Table(
    "scan_events",
    METADATA,
    sa.Column("scan_id", sa.ForeignKey("scans.scan_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

STEPS: Final = sa.Table(
    "scan_steps",
    METADATA,
    sa.Column("scan_id", sa.ForeignKey("scans.scan_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("step", sa.LargeBinary, nullable=False),
)

OPPORTUNITIES: Final = sa.Table(
    "opportunities",
    METADATA,
    sa.Column("opportunity_id", sa.String(40), primary_key=True),
    sa.Column("scan_id", sa.ForeignKey("scans.scan_id", ondelete="CASCADE"), nullable=False),
    sa.Column("user_id", sa.String(36), nullable=False),
    sa.Column("opportunity_key", sa.String(64), nullable=False),
    sa.Column("rank", sa.Integer),
    sa.Column("discovered_ns", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_opportunities_scan_id_rank", "scan_id", "rank"),
    sa.Index("ix_opportunities_user_id_opportunity_key", "user_id", "opportunity_key"),
    sa.Index("ix_opportunities_discovered_ns", "discovered_ns"),
)

IDEMPOTENCY: Final = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("user_id", sa.String(36), primary_key=True),
    sa.Column("route", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("body_hash", sa.String(32), nullable=False),
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_idempotency_created_ns", "created_ns"),
)

WORKERS: Final = sa.Table(
    "workers",
    METADATA,
    sa.Column("worker_id", sa.String(64), primary_key=True),
    sa.Column("feed", sa.String(8), nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("code_version", sa.String(64), nullable=False),
    sa.Column("instruments", sa.LargeBinary, nullable=False),
    sa.Column("seen_ns", sa.BigInteger, nullable=False),
)

LIVE_IDEAS: Final = sa.Table(
    "live_ideas",
    METADATA,
    sa.Column("strategy_id", sa.String(64), primary_key=True),
    sa.Column("opportunity_key", sa.String(64), primary_key=True),
    sa.Column("as_of_ns", sa.BigInteger, nullable=False),
    sa.Column("idea", sa.LargeBinary, nullable=False),
    sa.Column("position", sa.LargeBinary),
    sa.Column("entered_ns", sa.BigInteger),
    sa.Column("result", sa.String(8)),
    sa.Column("reason", sa.String(200)),
    sa.Column("resolved_ns", sa.BigInteger),
    sa.Column("gross_bps", sa.Float),
    sa.Column("net_bps", sa.Float),
    sa.Column("adverse_bps", sa.Float),
    sa.Column("favourable_bps", sa.Float),
    sa.Index("ix_live_ideas_result_as_of_ns", "result", "as_of_ns"),
    sa.Index("ix_live_ideas_strategy_id_resolved_ns", "strategy_id", "resolved_ns"),
)
"""One row per idea, whoever was told it first; ``result`` is NULL while it is followed."""
