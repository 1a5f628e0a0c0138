"""The tables of people, sessions, keys and the audit, and the statements that several of them share."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sextant.kit.db import METADATA
from sextant.vault.records import User

USERS: Final = sa.Table(
    "users",
    METADATA,
    sa.Column("user_id", sa.String(36), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False, unique=True),
    sa.Column("full_name", sa.String(128), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("status", sa.String(24), nullable=False),
    sa.Column("risk_profile", sa.String(16), nullable=False),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("password_expires_ns", sa.BigInteger),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("last_login_ns", sa.BigInteger),
)
"""``email_key`` is the address without case; one person per address."""

GRANTS: Final = sa.Table(
    "grants",
    METADATA,
    sa.Column("user_id", sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("strategy_id", sa.String(64), primary_key=True),
    sa.Column("granted_ns", sa.BigInteger, nullable=False),
    sa.Column("expires_ns", sa.BigInteger),
)

ONBOARDINGS: Final = sa.Table(
    "onboardings",
    METADATA,
    sa.Column("user_id", sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("onboarding_id", sa.String(40), nullable=False),
    sa.Column("strategy_ids", sa.JSON, nullable=False),
    sa.Column("onboarded_ns", sa.BigInteger, nullable=False),
)
"""The first answer to onboarding; repeats give it again."""

SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("session_id", sa.String(40), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("expires_ns", sa.BigInteger, nullable=False),
    sa.Column("life_s", sa.Integer, nullable=False),
    sa.Column("ended_ns", sa.BigInteger),
    sa.Column("end_reason", sa.String(24)),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Index("ix_sessions_user_id_ended_ns", "user_id", "ended_ns"),
    sa.Index("ix_sessions_expires_ns", "expires_ns"),
)

REFRESH_TOKENS: Final = sa.Table(
    "refresh_tokens",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("session_id", sa.ForeignKey("sessions.session_id", ondelete="CASCADE"), nullable=False),
    sa.Column("issued_ns", sa.BigInteger, nullable=False),
    sa.Column("expires_ns", sa.BigInteger, nullable=False),
    sa.Column("used_ns", sa.BigInteger),
    sa.Index("ix_refresh_tokens_session_id", "session_id"),
)
"""All refresh tokens of a session are one family; a used one that comes back ends it."""

API_KEYS: Final = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("key_id", sa.String(40), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("addresses", sa.JSON, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("expires_ns", sa.BigInteger, nullable=False),
    sa.Column("last_used_ns", sa.BigInteger),
    sa.Column("last_address", sa.String(64)),
    sa.Index("ix_api_keys_user_id", "user_id"),
)

ATTEMPTS: Final = sa.Table(
    "login_attempts",
    METADATA,
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("times_ns", sa.JSON, nullable=False),
    sa.Column("updated_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_login_attempts_updated_ns", "updated_ns"),
)
"""Times of the newest failed logins per account, known or unknown; durable, so a restart forgives nothing."""

AUDIT: Final = sa.Table(
    "audit",
    METADATA,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(40), nullable=False),
    sa.Column("action", sa.String(48), nullable=False),
    sa.Column("object", sa.String(128), nullable=False),
    sa.Column("outcome", sa.String(24), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_actor_time_ns", "actor", "time_ns"),
)
"""Append-only; each hash covers its entry and the hash before it."""

USER_COLUMNS: Final = tuple(USERS.c[name] for name in User.__struct_fields__)


def user_of(row: Any) -> User:
    """The person that a row holding ``USER_COLUMNS`` states."""
    return User(**{name: getattr(row, name) for name in User.__struct_fields__})


def email_key(email: str) -> str:
    """The address as it is compared: without case and surrounding space."""
    return email.strip().casefold()


async def end_sessions(
    connection: AsyncConnection, user_id: str, now_ns: int, reason: str, *, keep: str | None = None
) -> int:
    """How many live sessions of a user were ended, all but ``keep``."""
    where = [SESSIONS.c.user_id == user_id, SESSIONS.c.ended_ns.is_(None), SESSIONS.c.expires_ns > now_ns]
    if keep is not None:
        where.append(SESSIONS.c.session_id != keep)
    ended = await connection.execute(
        sa.update(SESSIONS).where(*where).values(ended_ns=now_ns, end_reason=reason)
    )
    return int(ended.rowcount)
