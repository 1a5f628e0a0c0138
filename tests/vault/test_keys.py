from __future__ import annotations

from typing import Any

import pytest

from sextant.errors import Conflict, Denied, InputError, NotFound, Unauthenticated
from sextant.vault.records import Identity, KeySpec
from sextant.vault.users import UserChange
from support.people import HERE, PASSWORD, People


async def session(vault: People, email: str = "ada@example.org") -> Identity:
    tokens = await vault.sessions.login(email, PASSWORD, HERE)
    return await vault.sessions.identify(tokens.access_token)


def script(*scopes: Any, **given: Any) -> KeySpec:
    return KeySpec(name="script", scopes=scopes, **given)


async def test_a_key_opens_what_it_was_made_for(vault: People) -> None:
    await vault.settled()
    key, text = await vault.keys.create(await session(vault), script("scan:read", "scan:run"), HERE)
    assert text.startswith("sxk_")
    identity = await vault.keys.identify(text, HERE.address)
    assert identity.via == "api_key"
    assert identity.permissions == {"scan:read", "scan:run"}
    [listed] = await vault.keys.list(identity.user.user_id)
    assert (listed.key_id, listed.last_used_ns, listed.last_address) == (
        key.key_id,
        vault.clock.now_ns(),
        HERE.address,
    )


async def test_a_key_loses_what_its_owner_loses(vault: People) -> None:
    user = await vault.settled()
    _, text = await vault.keys.create(await session(vault), script("portfolio:write", "scan:read"), HERE)
    await vault.users.change(user.user_id, UserChange(role="viewer"), "admin", HERE)
    assert (await vault.keys.identify(text, HERE.address)).permissions == {"scan:read"}
    await vault.users.change(user.user_id, UserChange(status="suspended"), "admin", HERE)
    with pytest.raises(Unauthenticated):
        await vault.keys.identify(text, HERE.address)


@pytest.mark.parametrize("scope", ["self:write", "accounts:write", "ops:read"])
async def test_a_scope_that_is_not_the_callers_to_give_is_refused(vault: People, scope: str) -> None:
    await vault.settled()
    with pytest.raises(Denied) as refused:
        await vault.keys.create(await session(vault), script(scope), HERE)
    assert refused.value.reason == "scope"


async def test_a_key_ends_and_can_be_removed(vault: People) -> None:
    user = await vault.settled()
    _, text = await vault.keys.create(await session(vault), script("scan:read", days=1), HERE)
    vault.clock.advance(86_399)
    await vault.keys.identify(text, HERE.address)
    vault.clock.advance(1)
    with pytest.raises(Unauthenticated) as over:
        await vault.keys.identify(text, HERE.address)
    assert over.value.reason == "token_expired"
    key, text = await vault.keys.create(await session(vault), script("scan:read"), HERE)
    with pytest.raises(NotFound):
        await vault.keys.remove("somebody", key.key_id, HERE)
    await vault.keys.remove(user.user_id, key.key_id, HERE)
    with pytest.raises(Unauthenticated):
        await vault.keys.identify(text, HERE.address)


async def test_a_key_works_only_from_its_networks(vault: People) -> None:
    await vault.settled()
    _, text = await vault.keys.create(
        await session(vault), script("scan:read", addresses=("203.0.113.0/24", "2001:db8::/32")), HERE
    )
    await vault.keys.identify(text, "203.0.113.200")
    await vault.keys.identify(text, "2001:db8::1")
    for address in ("203.0.114.1", "nowhere"):
        with pytest.raises(Unauthenticated):
            await vault.keys.identify(text, address)


@pytest.mark.parametrize(
    "text", ["sxk_", "sxk_abc_def", "sxk_" + "0" * 32 + "_x", "key_" + "0" * 32, "sxk_" + "0" * 32]
)
async def test_what_is_no_key_is_invalid(vault: People, text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await vault.keys.identify(text, HERE.address)
    assert refused.value.reason == "token_invalid"


async def test_bounds_of_keys_are_held(vault: People) -> None:
    await vault.settled()
    mine = await session(vault)
    for days in (0, 366):
        with pytest.raises(InputError):
            await vault.keys.create(mine, script("scan:read", days=days), HERE)
    for networks in (["10.0.0.1/8"], ["x"], ["10.0.0.0/8"] * 17):
        with pytest.raises(InputError):
            await vault.keys.create(mine, script("scan:read", addresses=tuple(networks)), HERE)
    with pytest.raises(InputError):
        await vault.keys.create(mine, script(), HERE)
    for _ in range(20):
        await vault.keys.create(mine, script("scan:read"), HERE)
    with pytest.raises(Conflict) as refused:
        await vault.keys.create(mine, script("scan:read"), HERE)
    assert refused.value.reason == "too_many"
