"""Personal API keys: shown once, stored hashed, never more than their owner may."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import Conflict, Denied, InputError, NotFound, Unauthenticated
from sextant.kit.clock import Clock
from sextant.kit.db import exclusive
from sextant.kit.hot_reads import HotQuery, HotReads, same
from sextant.kit.ids import is_id, new_id, new_secret
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.vault.audit import Entry, Origin, append
from sextant.vault.records import SESSION_ONLY, ApiKey, Identity, KeySpec
from sextant.vault.store import API_KEYS, USER_COLUMNS, USERS, user_of

MARK: Final = "sxk_"
MOST_KEYS: Final = 20  # api.md 4
MOST_DAYS: Final = 365  # api.md 1.2
MOST_ADDRESSES: Final = 16  # api.md 2.2
TOLD_EVERY_NS: Final = 60 * SECOND_NS  # the time of last use is written this often, not on every request


_WHO: Final = HotQuery(
    sa.select(*USER_COLUMNS, *(c for c in API_KEYS.c if c.name not in ("user_id", "created_ns")))
    .join_from(API_KEYS, USERS, API_KEYS.c.user_id == USERS.c.user_id)
    .where(API_KEYS.c.key_id == sa.bindparam("key_id")),
    same,
)
"""Who holds a key, as every request asks."""


class ApiKeys:
    """Makes, recognises, lists and removes personal API keys.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    clock
        Gives the times written to rows.
    """

    def __init__(self, db: AsyncEngine, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._reads = HotReads(db)

    async def create(self, identity: Identity, spec: KeySpec, origin: Origin) -> tuple[ApiKey, str]:
        """A key and its full text, which is shown once.

        Raises
        ------
        Denied
            If a scope is not held by the caller, or opens session routes.
        InputError
            If life, scopes or networks are out of bounds.
        Conflict
            If the person has 20 keys already.
        """
        _check(identity, spec)
        user_id = identity.user.user_id
        secret, now_ns = new_secret(), self._clock.now_ns()
        key = ApiKey(
            key_id=new_id("key"),
            name=spec.name,
            scopes=tuple(dict.fromkeys(spec.scopes)),
            addresses=tuple(str(ipaddress.ip_network(item)) for item in spec.addresses),
            created_ns=now_ns,
            expires_ns=now_ns + spec.days * DAY_NS,
            last_used_ns=None,
            last_address=None,
        )
        facts = {
            "key_id": key.key_id,
            "user_id": user_id,
            "secret_hash": _hashed(secret),
            "name": key.name,
            "scopes": list(key.scopes),
            "addresses": list(key.addresses),
            "created_ns": now_ns,
            "expires_ns": key.expires_ns,
        }
        async with self._db.begin() as connection:
            await exclusive(connection, f"keys {user_id}")
            held = sa.select(sa.func.count()).select_from(API_KEYS).where(API_KEYS.c.user_id == user_id)
            if (await connection.execute(held)).scalar_one() >= MOST_KEYS:
                raise Conflict(f"You have {MOST_KEYS} keys; remove one first.", reason="too_many")
            await connection.execute(sa.insert(API_KEYS), facts)
            await append(connection, _entry(user_id, "key.create", key.key_id, origin), now_ns)
        return key, f"{MARK}{key.key_id.removeprefix('key_')}_{secret}"

    async def identify(self, text: str, address: str) -> Identity:
        """Who holds a key, and which of its scopes the owner still holds.

        Raises
        ------
        Unauthenticated
            If the key is unknown, over, used from elsewhere, or its owner is not active.
        """
        number, _, secret = text.removeprefix(MARK).partition("_")
        key_id = f"key_{number}"
        if not (text.startswith(MARK) and is_id(key_id, "key") and secret):
            raise _invalid()
        row = await self._reads.first(_WHO, key_id=key_id)
        now_ns = self._clock.now_ns()
        if row is None or not hmac.compare_digest(row.secret_hash, _hashed(secret)):
            raise _invalid()
        user = user_of(row)
        if row.expires_ns <= now_ns:
            raise Unauthenticated("The API key has ended.", reason="token_expired")
        if user.status != "active" or not _allowed(row.addresses, address):
            raise _invalid()
        if row.last_used_ns is None or now_ns - row.last_used_ns >= TOLD_EVERY_NS:
            await self._used(key_id, address, now_ns)
        open_to_keys = user.permissions - SESSION_ONLY
        return Identity(user, "api_key", key_id, open_to_keys & frozenset(row.scopes), row.expires_ns)

    async def list(self, user_id: str) -> list[ApiKey]:
        """The keys of a person, oldest first."""
        query = (
            sa.select(API_KEYS)
            .where(API_KEYS.c.user_id == user_id)
            .order_by(API_KEYS.c.created_ns, API_KEYS.c.key_id)
        )
        async with self._db.connect() as connection:
            return [_key_of(row) for row in await connection.execute(query)]

    async def remove(self, user_id: str, key_id: str, origin: Origin) -> None:
        """End a key at once.

        Raises
        ------
        NotFound
            If there is no such key of this person.
        """
        now_ns = self._clock.now_ns()
        where = (API_KEYS.c.key_id == key_id, API_KEYS.c.user_id == user_id)
        async with self._db.begin() as connection:
            gone = await connection.execute(sa.delete(API_KEYS).where(*where))
            if gone.rowcount != 1:
                raise NotFound("There is no such API key.")
            await append(connection, _entry(user_id, "key.remove", key_id, origin), now_ns)

    async def _used(self, key_id: str, address: str, now_ns: int) -> None:
        facts = {"last_used_ns": now_ns, "last_address": address[:64]}
        async with self._db.begin() as connection:
            await connection.execute(sa.update(API_KEYS).where(API_KEYS.c.key_id == key_id).values(**facts))


def _check(identity: Identity, spec: KeySpec) -> None:
    if not spec.scopes:
        raise InputError("A key needs at least one scope.", reason="out_of_range", field="scopes")
    for scope in spec.scopes:
        if scope in SESSION_ONLY or scope not in identity.permissions:
            raise Denied(f"The scope {scope} is not yours to give to a key.", reason="scope")
    if not 1 <= spec.days <= MOST_DAYS:
        raise InputError(
            f"expires_days is {spec.days}; allowed are 1..{MOST_DAYS}.",
            reason="out_of_range",
            field="expires_days",
        )
    if len(spec.addresses) > MOST_ADDRESSES:
        raise InputError(
            f"{len(spec.addresses)} networks; at most {MOST_ADDRESSES}.",
            reason="out_of_range",
            field="addresses",
        )
    for item in spec.addresses:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise InputError(
                f"'{item}' is not a network such as 203.0.113.0/24.",
                reason="out_of_range",
                field="addresses",
            ) from None


def _allowed(networks: Sequence[str], address: str) -> bool:
    if not networks:
        return True
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(item) for item in networks)


def _key_of(row: Any) -> ApiKey:
    facts = {name: getattr(row, name) for name in ApiKey.__struct_fields__}
    return ApiKey(**facts | {"scopes": tuple(row.scopes), "addresses": tuple(row.addresses)})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _invalid() -> Unauthenticated:
    return Unauthenticated("The API key is not valid here.", reason="token_invalid")


def _entry(actor: str, action: str, key_id: str, origin: Origin) -> Entry:
    return Entry(actor=actor, action=action, object=key_id, outcome="ok", origin=origin)
