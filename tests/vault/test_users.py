from __future__ import annotations

import pytest

from sextant.errors import Conflict, InputError, NotFound, Unauthenticated
from sextant.vault.records import ROLE_PERMISSIONS
from sextant.vault.users import GrantChange, UserChange, UserFilter, UserSpec
from support.people import HERE, PASSWORD, People


async def test_an_address_belongs_to_one_person_whatever_its_case(vault: People) -> None:
    user, _ = await vault.users.add(UserSpec("Ada@Example.org", "Ada", "trader"))
    with pytest.raises(Conflict) as refused:
        await vault.users.add(UserSpec("ada@EXAMPLE.org", "Other", "viewer"))
    assert refused.value.reason == "duplicate"
    assert await vault.users.by_email("ADA@example.ORG") == user
    assert user.email == "Ada@Example.org"


async def test_a_new_person_must_change_the_one_time_password_and_may_do_nothing_else(vault: People) -> None:
    user, once = await vault.users.add(UserSpec("ada@example.org", "Ada", "admin"))
    tokens = await vault.sessions.login("ada@example.org", once, HERE)
    identity = await vault.sessions.identify(tokens.access_token)
    assert identity.permissions == {"self:write"}
    await vault.sessions.change_password(identity, once, PASSWORD, HERE)
    assert (await vault.sessions.identify(tokens.access_token)).permissions == ROLE_PERMISSIONS["admin"]
    assert not (await vault.users.get(user.user_id)).must_change


async def test_a_one_time_password_ends_after_a_day(vault: People) -> None:
    _, once = await vault.users.add(UserSpec("ada@example.org", "Ada", "trader"))
    vault.clock.advance(86_399)
    await vault.sessions.login("ada@example.org", once, HERE)
    vault.clock.advance(1)
    with pytest.raises(Unauthenticated) as refused:
        await vault.sessions.login("ada@example.org", once, HERE)
    assert refused.value.reason == "bad_credentials"


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.org", "ada@", "a da@example.org", "a" * 250 + "@b.org"]
)
async def test_what_is_no_address_is_refused(vault: People, email: str) -> None:
    with pytest.raises(InputError):
        await vault.users.add(UserSpec(email, "Ada", "trader"))


@pytest.mark.parametrize("name", ["", "x" * 129])
async def test_a_name_out_of_bounds_is_refused(vault: People, name: str) -> None:
    with pytest.raises(InputError):
        await vault.users.add(UserSpec("ada@example.org", name, "trader"))


async def test_the_profile_changes_only_what_is_given(vault: People) -> None:
    user = await vault.settled()
    bold = await vault.users.set_profile(user.user_id, risk_profile="beast_mode")
    assert (bold.full_name, bold.risk_profile) == ("Ada", "beast_mode")
    named = await vault.users.set_profile(user.user_id, full_name="Ada L.")
    assert (named.full_name, named.risk_profile) == ("Ada L.", "beast_mode")


async def test_suspension_ends_the_sessions_at_once(vault: People) -> None:
    user = await vault.settled()
    tokens = await vault.sessions.login(user.email, PASSWORD, HERE)
    await vault.users.change(user.user_id, UserChange(status="suspended"), "admin", HERE)
    with pytest.raises(Unauthenticated) as refused:
        await vault.sessions.identify(tokens.access_token)
    assert refused.value.reason == "session_revoked"
    with pytest.raises(Unauthenticated):
        await vault.sessions.refresh(tokens.refresh_token, HERE)


async def test_the_last_active_administrator_stays(vault: People) -> None:
    first = await vault.settled("root@example.org", "admin")
    with pytest.raises(Conflict) as refused:
        await vault.users.change(first.user_id, UserChange(role="trader"), "admin", HERE)
    assert refused.value.reason == "last_admin"
    await vault.settled("second@example.org", "admin")
    after = await vault.users.change(first.user_id, UserChange(role="trader"), "admin", HERE)
    assert after.role == "trader"


async def test_changing_nobody_is_not_found(vault: People) -> None:
    with pytest.raises(NotFound):
        await vault.users.change("nobody", UserChange(role="trader"), "admin", HERE)


async def test_grants_are_replaced_as_a_whole_and_can_end(vault: People) -> None:
    user, _ = await vault.users.add(
        UserSpec(
            "ada@example.org",
            "Ada",
            "trader",
            grants=(
                "a",
                "b",
            ),
        )
    )
    assert await vault.users.grants(user.user_id) == {"a", "b"}
    end_ns = vault.clock.now_ns() + 10_000_000_000
    change = await vault.users.grant(user.user_id, ["c", "b"], expires_ns=end_ns, by="admin")
    assert change == GrantChange(granted=("c",), revoked=("a",))
    assert await vault.users.grants(user.user_id) == {"b", "c"}
    vault.clock.advance(10)
    assert await vault.users.grants(user.user_id) == frozenset()


async def test_onboarding_again_tells_what_the_first_time_did(vault: People) -> None:
    user, _ = await vault.users.add(UserSpec("ada@example.org", "Ada", "trader", grants=("a",)))
    first = await vault.users.onboard(user.user_id, ["a", "b"])
    vault.clock.advance(5)
    assert await vault.users.onboard(user.user_id, ["a", "b", "c"]) == first
    assert await vault.users.grants(user.user_id) == {"a", "b"}


async def test_pages_of_people_do_not_overlap(vault: People) -> None:
    for number in range(5):
        await vault.users.add(UserSpec(f"user{number}@example.org", f"User {number}", "viewer"))
        vault.clock.advance(1)
    first = await vault.users.page(3)
    second = await vault.users.page(3, (first[-1].created_ns, first[-1].user_id))
    assert [user.full_name for user in first + second] == [f"User {number}" for number in range(5)]


async def test_nobody_is_granted_to_who_is_not_there(vault: People) -> None:
    with pytest.raises(NotFound):
        await vault.users.grant("nobody", ["a"], by="admin")


async def test_people_are_found_by_address_name_role_and_status(vault: People) -> None:
    ada, _ = await vault.users.add(UserSpec("ada@example.org", "Ada Lovelace", "trader", grants=("a", "b")))
    eve, _ = await vault.users.add(UserSpec("eve_1@example.org", "Eve", "viewer", status="suspended"))
    for only, found in (
        (UserFilter("LOVE"), [ada]),
        (UserFilter("Example"), [ada, eve]),
        (UserFilter("e_1"), [eve]),
        (UserFilter("a_a"), []),  # a wildcard of the database is an ordinary character here
        (UserFilter("%"), []),
        (UserFilter(role="viewer"), [eve]),
        (UserFilter(status="active"), [ada]),
        (UserFilter("ada", "viewer"), []),
    ):
        assert {user.user_id for user in await vault.users.page(9, only=only)} == {u.user_id for u in found}
    assert await vault.users.grant_counts([ada.user_id, eve.user_id]) == {ada.user_id: 2}
