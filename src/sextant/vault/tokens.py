"""Access tokens: one pinned algorithm, every claim required, times read from the injected clock."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final, NamedTuple

import jwt

from sextant.errors import Unauthenticated
from sextant.kit.ids import new_id
from sextant.vault.signing import SigningKey

ACCESS_LIFE_S: Final = 900  # api.md 1.2
LEEWAY_S: Final = 60  # api.md 1.2
VERIFIED_KEPT: Final = 4_096  # tokens known by their hash; a quarter of a megabyte
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


class Claims(NamedTuple):
    """What a token states whose signature and form are right; times are seconds."""

    user_id: str
    session_id: str
    earliest_s: int
    end_s: int


class TokenReader:
    """Reads access tokens; the signature of a token that comes again is not computed again, its times are.

    Parameters
    ----------
    key
        Signed the tokens.
    """

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def read(self, token: str, now_s: int) -> tuple[str, str, int]:
        """The user id, session id and end (s) of a token that this server signed and that holds now.

        Raises
        ------
        Unauthenticated
            If it is malformed, signed otherwise, for somebody else, not yet or no longer valid.
        """
        name = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(name)
        if claims is None:
            claims = self._verified[name] = verify(self._key, token)
            if len(self._verified) > VERIFIED_KEPT:
                self._verified.popitem(last=False)
        if claims.earliest_s > now_s + LEEWAY_S:
            raise _invalid()
        if claims.end_s + LEEWAY_S <= now_s:
            raise Unauthenticated("The access token has expired; refresh it.", reason="token_expired")
        return claims.user_id, claims.session_id, claims.end_s


def verify(key: SigningKey, token: str) -> Claims:
    """What a token states that this server signed, whenever it holds.

    Raises
    ------
    Unauthenticated
        If it is malformed, signed otherwise or for somebody else.
    """
    try:
        told = jwt.decode_complete(
            token,
            key.secret,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={
                "require": list(_CLAIMS),
                # Times are compared with the injected clock; the library would ask the machine's.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidTokenError:
        raise _invalid() from None
    header, claims = told["header"], told["payload"]
    times = [claims["iat"], claims["nbf"], claims["exp"]]
    if header.get("typ") != _TYPE or header.get("kid") != key.kid or any(type(t) is not int for t in times):
        raise _invalid()
    if not (isinstance(claims["sub"], str) and isinstance(claims["sid"], str)):
        raise _invalid()
    return Claims(claims["sub"], claims["sid"], max(claims["iat"], claims["nbf"]), claims["exp"])


def _invalid() -> Unauthenticated:
    return Unauthenticated("The access token is not valid here.", reason="token_invalid")
