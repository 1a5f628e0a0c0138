"""Routes of sessions and of the person behind them."""

from __future__ import annotations

from typing import Final

from sextant.api.endpoint import ANY, PUBLIC, Answer, Call, Endpoint, NoBody, NoQuery
from sextant.api.schemas import (
    KeyBody,
    KeyMade,
    KeyRow,
    KeysAnswer,
    LoginBody,
    LogoutAnswer,
    LogoutBody,
    MeAnswer,
    MeBody,
    MessageAnswer,
    PasswordBody,
    RefreshBody,
    TokensBody,
)
from sextant.model.times import iso_ms
from sextant.vault.keys import ApiKeys
from sextant.vault.records import PERMISSIONS, ApiKey, KeySpec, Permission, Tokens, User, Via
from sextant.vault.sessions import Sessions
from sextant.vault.users import Users

MINE: Final[tuple[Permission, ...]] = ("self:write",)


class AuthRoutes:
    """Log in and out, read and change oneself, make and remove keys.

    Parameters
    ----------
    users, sessions, keys
        Front doors of the vault.
    """

    def __init__(self, users: Users, sessions: Sessions, keys: ApiKeys) -> None:
        self._users = users
        self._sessions = sessions
        self._keys = keys

    async def login(self, call: Call[LoginBody, NoQuery]) -> TokensBody:
        """Fresh tokens for an address and its password."""
        body = call.body
        return _tokens(
            await self._sessions.login(body.email, body.password, call.origin, remember=body.remember_me)
        )

    async def refresh(self, call: Call[RefreshBody, NoQuery]) -> TokensBody:
        """Fresh tokens for a refresh token, which is spent."""
        return _tokens(await self._sessions.refresh(call.body.refresh_token, call.origin))

    async def logout(self, call: Call[LogoutBody, NoQuery]) -> LogoutAnswer:
        """How many sessions were ended."""
        ended = await self._sessions.logout(call.identity, call.origin, everywhere=call.body.all)
        return LogoutAnswer(
            message="Logged out.", user_id=call.user_id, sessions_cleaned=ended, token_blacklisted=True
        )

    async def me(self, call: Call[NoBody, NoQuery]) -> MeAnswer:
        """The person behind the credential."""
        return _me(call.identity.user, call.identity.permissions, call.identity.via)

    async def change_me(self, call: Call[MeBody, NoQuery]) -> MeAnswer:
        """The person after the change."""
        user = await self._users.set_profile(
            call.user_id, full_name=call.body.full_name, risk_profile=call.body.risk_profile
        )
        return _me(user, call.identity.permissions, call.identity.via)

    async def password(self, call: Call[PasswordBody, NoQuery]) -> MessageAnswer:
        """That the password was changed and what ended by it."""
        body = call.body
        ended = await self._sessions.change_password(
            call.identity, body.current_password, body.new_password, call.origin
        )
        return MessageAnswer(f"The password was changed; {ended} other sessions have ended.")

    async def list_keys(self, call: Call[NoBody, NoQuery]) -> KeysAnswer:
        """The caller's keys."""
        return KeysAnswer([_row(key) for key in await self._keys.list(call.user_id)])

    async def create_key(self, call: Call[KeyBody, NoQuery]) -> Answer:
        """A key; its text is shown this once."""
        body = call.body
        spec = KeySpec(
            name=body.name,
            scopes=tuple(body.scopes),
            days=body.expires_days,
            addresses=tuple(body.addresses),
        )
        key, secret = await self._keys.create(call.identity, spec, call.origin)
        row = _row(key)
        made = KeyMade(
            key_id=row.key_id,
            name=row.name,
            scopes=row.scopes,
            addresses=row.addresses,
            created_at=row.created_at,
            expires_at=row.expires_at,
            secret=secret,
        )
        return Answer(made, 201)

    async def remove_key(self, call: Call[NoBody, NoQuery]) -> Answer:
        """Nothing: the key has ended."""
        await self._keys.remove(call.user_id, call.path["key_id"], call.origin)
        return Answer(None, 204)

    def endpoints(self) -> list[Endpoint]:
        """The rows of api.md 2.2."""
        return [*self._token_endpoints(), *self._person_endpoints(), *self._key_endpoints()]

    def _token_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path="/api/v1/auth/login",
                name="auth_login",
                summary="Fresh tokens for an address and its password",
                access=PUBLIC,
                handler=self.login,
                body=LoginBody,
                answer=TokensBody,
                errors=(401, 403),
                proof=("A06", "A14", "A15"),
                policy_name="login",
                idempotency=False,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/auth/refresh",
                name="auth_refresh",
                summary="Fresh tokens for a refresh token",
                access=PUBLIC,
                handler=self.refresh,
                body=RefreshBody,
                answer=TokensBody,
                errors=(401,),
                proof=("A14",),
                policy_name="refresh",
                idempotency=False,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/auth/logout",
                name="auth_logout",
                summary="End this session, or all",
                access=MINE,
                handler=self.logout,
                body=LogoutBody,
                answer=LogoutAnswer,
                proof=("A14",),
                idempotency=False,
            ),
        ]

    def _person_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/api/v1/auth/me",
                name="auth_me",
                summary="The person behind the credential",
                access=ANY,
                handler=self.me,
                answer=MeAnswer,
                proof=("A06", "A14"),
            ),
            Endpoint(
                method="PATCH",
                path="/api/v1/auth/me",
                name="auth_change_me",
                summary="Change name or risk profile",
                access=MINE,
                handler=self.change_me,
                body=MeBody,
                answer=MeAnswer,
                proof=("A05",),
                idempotency=False,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/auth/password",
                name="auth_password",
                summary="Change the password; all other sessions end",
                access=MINE,
                handler=self.password,
                body=PasswordBody,
                answer=MessageAnswer,
                proof=("A14", "A34"),
                idempotency=False,
            ),
        ]

    def _key_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/api/v1/api-keys",
                name="keys_list",
                summary="The caller's personal API keys",
                access=MINE,
                handler=self.list_keys,
                answer=KeysAnswer,
                proof=("A14",),
            ),
            Endpoint(
                method="POST",
                path="/api/v1/api-keys",
                name="keys_create",
                summary="Make a personal API key",
                access=MINE,
                handler=self.create_key,
                body=KeyBody,
                answer=KeyMade,
                status=201,
                errors=(409,),
                proof=("A14", "A34"),
                idempotency=False,
            ),
            Endpoint(
                method="DELETE",
                path="/api/v1/api-keys/{key_id}",
                name="keys_remove",
                summary="End a personal API key at once",
                access=MINE,
                handler=self.remove_key,
                status=204,
                proof=("A14", "A34"),
            ),
        ]


def _tokens(tokens: Tokens) -> TokensBody:
    return TokensBody(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        token_type="bearer",  # noqa: S106  # a word of the protocol
        expires_in=tokens.expires_in_s,
        user_id=tokens.user.user_id,
        role=tokens.user.role,
        tenant_id=None,
        permissions=_ordered(tokens.user.permissions),
    )


def _me(user: User, permissions: frozenset[Permission], via: Via) -> MeAnswer:
    return MeAnswer(
        id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        status=user.status,
        risk_profile=user.risk_profile,
        tenant_id=None,
        created_at=iso_ms(user.created_ns),
        last_login=None if user.last_login_ns is None else iso_ms(user.last_login_ns),
        mfa_enabled=False,
        permissions=_ordered(permissions),
        via=via,
    )


def _row(key: ApiKey) -> KeyRow:
    return KeyRow(
        key_id=key.key_id,
        name=key.name,
        scopes=list(key.scopes),
        addresses=list(key.addresses),
        created_at=iso_ms(key.created_ns),
        expires_at=iso_ms(key.expires_ns),
        last_used_at=None if key.last_used_ns is None else iso_ms(key.last_used_ns),
        last_address=key.last_address,
    )


def _ordered(permissions: frozenset[Permission]) -> list[Permission]:
    return [item for item in PERMISSIONS if item in permissions]
