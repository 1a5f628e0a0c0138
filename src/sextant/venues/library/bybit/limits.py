"""What Bybit allows one address and one user, and what its headers say is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sextant.venues.broker import Learnt, Limit, Policy
from sextant.venues.library.bybit.wire import NAME

REQUESTS: Final = "requests"
ACCOUNT: Final = "account"
KEY: Final = "key"

OF_A_USER: Final = {"/v5/account/wallet-balance": ACCOUNT, "/v5/user/query-api": KEY}
"""Paths that are counted for a user, beside the address."""


def weigh(path: str) -> Mapping[str, float]:
    """Every question counts one for the address, and one for the user where it is of one."""
    own = OF_A_USER.get(path)
    return {REQUESTS: 1} if own is None else {REQUESTS: 1, own: 1}


def read(path: str, headers: Mapping[str, str]) -> Sequence[Learnt]:
    """What is spent of a user's budget in the running second."""
    own = OF_A_USER.get(path)
    most, rest = (headers.get(name, "") for name in ("x-bapi-limit", "x-bapi-limit-status"))
    if own is None or not (most.isascii() and most.isdigit() and rest.isascii() and rest.isdigit()):
        return ()
    return (Learnt(own, used=max(0.0, float(most[:9]) - float(rest[:9])), most=float(most[:9])),)


POLICY: Final = Policy(
    venue=NAME,
    limits=(
        Limit(REQUESTS, "address", 600, 5),
        Limit(ACCOUNT, "user", 50, 1),
        Limit(KEY, "user", 10, 1),
    ),
    weigh=weigh,
    read=read,
)
