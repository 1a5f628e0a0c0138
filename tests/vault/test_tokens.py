from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest

from sextant.errors import Unauthenticated
from sextant.vault.signing import key_of
from sextant.vault.tokens import VERIFIED_KEPT, TokenReader, issue
from support.people import KEY, START_NS

NOW_S = START_NS // 1_000_000_000
CLAIMS: dict[str, Any] = {
    "iss": "sextant",
    "aud": "sextant-api",
    "sub": "user",
    "sid": "ses",
    "jti": "jti",
    "iat": NOW_S,
    "nbf": NOW_S,
    "exp": NOW_S + 900,
}
HEADER = {"typ": "at+jwt", "kid": KEY.kid}


def encode(claims: dict[str, Any], header: dict[str, Any] | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, KEY.secret, algorithm, HEADER | (header or {}))


def unsigned() -> str:
    parts = [{"alg": "none", **HEADER}, CLAIMS]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
    )


def test_a_token_is_read_back_and_carries_the_documented_claims() -> None:
    token = issue(KEY, "user", "ses", NOW_S)
    assert TokenReader(KEY).read(token, NOW_S) == ("user", "ses", NOW_S + 900)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", **HEADER}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert claims["exp"] - claims["iat"] == 900


FORGED: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "not a token": lambda: "abc.def",
    "no algorithm": unsigned,
    "another algorithm": lambda: encode(CLAIMS, algorithm="HS512"),
    "another key": lambda: issue(key_of("another-key-that-has-enough-bytes"), "user", "ses", NOW_S),
    "another audience": lambda: encode(CLAIMS | {"aud": "other"}),
    "another issuer": lambda: encode(CLAIMS | {"iss": "other"}),
    "another type": lambda: encode(CLAIMS, {"typ": "JWT"}),
    "another key id": lambda: encode(CLAIMS, {"kid": "0" * 16}),
    "text as time": lambda: encode(CLAIMS | {"nbf": str(NOW_S)}),
    "subject no text": lambda: encode(CLAIMS | {"sid": 5}),
    "from the future": lambda: encode(CLAIMS | {"iat": NOW_S + 61}),
    "not yet valid": lambda: encode(CLAIMS | {"nbf": NOW_S + 61}),
    **{f"without {name}": partial(encode, {k: v for k, v in CLAIMS.items() if k != name}) for name in CLAIMS},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_token_that_is_not_ours_is_invalid(forged: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        TokenReader(KEY).read(forged(), NOW_S)
    assert refused.value.reason == "token_invalid"


def test_clocks_may_differ_by_a_minute() -> None:
    assert TokenReader(KEY).read(encode(CLAIMS | {"iat": NOW_S + 60, "nbf": NOW_S + 60}), NOW_S)
    assert TokenReader(KEY).read(issue(KEY, "user", "ses", NOW_S), NOW_S + 959)
    with pytest.raises(Unauthenticated) as refused:
        TokenReader(KEY).read(issue(KEY, "user", "ses", NOW_S), NOW_S + 960)
    assert refused.value.reason == "token_expired"


def test_a_token_that_comes_again_is_judged_by_the_time_again() -> None:
    reader = TokenReader(KEY)
    token = issue(KEY, "user", "ses", NOW_S)
    for now_s in (NOW_S, NOW_S + 959):
        assert reader.read(token, now_s) == ("user", "ses", NOW_S + 900)
    for now_s, reason in ((NOW_S + 960, "token_expired"), (NOW_S - 61, "token_invalid")):
        with pytest.raises(Unauthenticated) as refused:
            reader.read(token, now_s)
        assert refused.value.reason == reason


def test_what_was_refused_is_refused_again_and_little_is_remembered() -> None:
    reader = TokenReader(KEY)
    forged = encode(CLAIMS | {"aud": "somebody"})
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            reader.read(forged, NOW_S)
    for number in range(VERIFIED_KEPT + 5):
        reader._verified[number.to_bytes(4)] = None  # type: ignore[assignment]  # only how many counts
    reader.read(issue(KEY, "user", "ses", NOW_S), NOW_S)
    assert len(reader._verified) <= VERIFIED_KEPT + 5
