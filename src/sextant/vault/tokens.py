"""Access tokens: one pinned algorithm, every claim required, times read from the injected clock."""

from __future__ import annotations

from typing import Any, Final

import jwt

from sextant.errors import Unauthenticated
from sextant.kit.ids import new_id
from sextant.vault.signing import SigningKey

ACCESS_LIFE_S: Final = 900  # api.md 1.2
LEEWAY_S: Final = 60  # api.md 1.2
_ALGORITHM: Final = "HS256"
_TYPE: Final = "at+jwt"  # RFC 9068, 2.1
_ISSUER: Final = "sextant"
_AUDIENCE: Final = "sextant-api"
_CLAIMS: Final = ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp")


def issue(key: SigningKey, user_id: str, session_id: str, now_s: int) -> str:
    """A signed access token of a session; it states who, never what they may do."""
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": user_id,
        "sid": session_id,
        "jti": new_id("jti"),
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + ACCESS_LIFE_S,
    }
    return jwt.encode(claims, key.secret, _ALGORITHM, {"typ": _TYPE, "kid": key.kid})


def read(key: SigningKey, token: str, now_s: int) -> tuple[str, str, int]:
    """The user id, session id and end (s) of a token that this server signed and that holds now.

    Raises
    ------
    Unauthenticated
        If it is malformed, signed otherwise, for somebody else, not yet or no longer valid.
    """
    try:
        header = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.secret,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={
                "require": list(_CLAIMS),
                # Times are compared with the injected clock below; the library would ask the machine's.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidTokenError:
        raise _invalid() from None
    times = [claims["iat"], claims["nbf"], claims["exp"]]
    if header.get("typ") != _TYPE or header.get("kid") != key.kid or any(type(t) is not int for t in times):
        raise _invalid()
    if not (isinstance(claims["sub"], str) and isinstance(claims["sid"], str)):
        raise _invalid()
    if max(claims["iat"], claims["nbf"]) > now_s + LEEWAY_S:
        raise _invalid()
    if claims["exp"] + LEEWAY_S <= now_s:
        raise Unauthenticated("The access token has expired; refresh it.", reason="token_expired")
    return claims["sub"], claims["sid"], claims["exp"]


def _invalid() -> Unauthenticated:
    return Unauthenticated("The access token is not valid here.", reason="token_invalid")
