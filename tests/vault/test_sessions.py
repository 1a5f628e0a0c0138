from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from sextant.errors import Denied, InputError, RateLimited, Unauthenticated
from sextant.vault.store import AUDIT, REFRESH_TOKENS, SESSIONS, USERS
from sextant.vault.users import UserSpec
from support.database import sent
from support.people import HERE, PASSWORD, People


async def refused(awaited: object) -> str | None:
    with pytest.raises(Unauthenticated) as failure:
        await awaited  # type: ignore[misc]  # a coroutine of any result
    return failure.value.reason


async def test_a_login_opens_a_session_that_is_recognised(vault: People) -> None:
    user = await vault.settled()
    tokens = await vault.sessions.login("ADA@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(tokens.access_token)
    assert (identity.user.user_id, identity.via) == (user.user_id, "session")
    assert tokens.expires_in_s == 900
    assert identity.user.last_login_ns == vault.clock.now_ns()


async def test_unknown_people_and_wrong_passwords_are_answered_alike(vault: People) -> None:
    await vault.settled()
    with pytest.raises(Unauthenticated) as unknown:
        await vault.sessions.login("eve@example.org", "some password", HERE)
    with pytest.raises(Unauthenticated) as wrong:
        await vault.sessions.login("ada@example.org", "some password", HERE)
    assert (unknown.value.message, unknown.value.reason) == (wrong.value.message, wrong.value.reason)
    assert wrong.value.reason == "bad_credentials"


@pytest.mark.parametrize("status", ["suspended", "pending_verification", "inactive"])
async def test_a_status_is_told_only_after_the_right_password(vault: People, status: str) -> None:
    await vault.settled()
    async with vault.db.begin() as connection:
        await connection.execute(sa.update(USERS).values(status=status))
    assert await refused(vault.sessions.login("ada@example.org", "wrong password", HERE)) == "bad_credentials"
    with pytest.raises(Denied) as told:
        await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    assert told.value.reason == status


async def test_an_access_token_ends_after_its_life_and_leeway(vault: People) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    vault.clock.advance(959)
    await vault.sessions.identify(tokens.access_token)
    vault.clock.advance(1)
    assert await refused(vault.sessions.identify(tokens.access_token)) == "token_expired"


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_family(vault: People) -> None:
    await vault.settled()
    first = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    second = await vault.sessions.refresh(first.refresh_token, HERE)
    assert second.refresh_token != first.refresh_token
    assert await refused(vault.sessions.refresh(first.refresh_token, HERE)) == "refresh_reused"
    assert await refused(vault.sessions.refresh(second.refresh_token, HERE)) == "session_revoked"
    assert await refused(vault.sessions.identify(second.access_token)) == "session_revoked"


async def test_parallel_refreshes_with_one_token_give_one_answer(vault: People) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    answers = await asyncio.gather(
        *(vault.sessions.refresh(tokens.refresh_token, HERE) for _ in range(6)), return_exceptions=True
    )
    assert sum(not isinstance(answer, Unauthenticated) for answer in answers) == 1


async def test_an_unknown_refresh_token_is_invalid(vault: People) -> None:
    assert await refused(vault.sessions.refresh("x" * 43, HERE)) == "token_invalid"


@pytest.mark.parametrize(("remember", "life_s"), [(False, 43_200), (True, 2_592_000)])
async def test_a_refresh_token_lives_as_long_as_asked(vault: People, *, remember: bool, life_s: int) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE, remember=remember)
    vault.clock.advance(life_s - 1)
    renewed = await vault.sessions.refresh(tokens.refresh_token, HERE)
    vault.clock.advance(life_s)
    assert await refused(vault.sessions.refresh(renewed.refresh_token, HERE)) == "token_expired"


async def test_logout_acts_at_the_next_call(vault: People) -> None:
    await vault.settled()
    mine = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    other = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(mine.access_token)
    assert await vault.sessions.logout(identity, HERE) == 1
    assert await refused(vault.sessions.identify(mine.access_token)) == "session_revoked"
    await vault.sessions.identify(other.access_token)


async def test_logout_everywhere_ends_all_sessions_of_that_person_only(vault: People) -> None:
    await vault.settled()
    await vault.settled("bob@example.org")
    mine = [await vault.sessions.login("ada@example.org", PASSWORD, HERE) for _ in range(3)]
    bobs = await vault.sessions.login("bob@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(mine[0].access_token)
    assert await vault.sessions.logout(identity, HERE, everywhere=True) == 3
    for tokens in mine:
        assert await refused(vault.sessions.identify(tokens.access_token)) == "session_revoked"
    await vault.sessions.identify(bobs.access_token)


async def test_another_password_ends_the_other_sessions(vault: People) -> None:
    await vault.settled()
    mine = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    other = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(mine.access_token)
    assert await vault.sessions.change_password(identity, PASSWORD, "another long one", HERE) == 1
    await vault.sessions.identify(mine.access_token)
    assert await refused(vault.sessions.identify(other.access_token)) == "session_revoked"
    assert await refused(vault.sessions.login("ada@example.org", PASSWORD, HERE)) == "bad_credentials"
    await vault.sessions.login("ada@example.org", "another long one", HERE)


async def test_a_wrong_current_password_changes_nothing_and_is_counted(vault: People) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(tokens.access_token)
    for _ in range(10):
        attempt = vault.sessions.change_password(identity, "wrong", "another long one", HERE)
        assert await refused(attempt) == "bad_credentials"
    with pytest.raises(RateLimited):
        await vault.sessions.change_password(identity, PASSWORD, "another long one", HERE)


@pytest.mark.parametrize("chosen", ["short", "x" * 129, "password123", "PassWord123", "ada@example.org"])
async def test_a_password_that_guessers_know_is_refused(vault: People, chosen: str) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    identity = await vault.sessions.identify(tokens.access_token)
    with pytest.raises(InputError):
        await vault.sessions.change_password(identity, PASSWORD, chosen, HERE)


async def test_a_deleted_person_is_nobody(vault: People) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    async with vault.db.begin() as connection:
        await connection.execute(sa.delete(USERS))
    assert await refused(vault.sessions.identify(tokens.access_token)) == "session_revoked"
    assert await refused(vault.sessions.refresh(tokens.refresh_token, HERE)) == "token_invalid"


async def test_ten_failures_close_an_account_to_guessers_and_not_to_its_sessions(vault: People) -> None:
    await vault.settled()
    live = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    for _ in range(10):
        assert await refused(vault.sessions.login("ada@example.org", "a guess", HERE)) == "bad_credentials"
    with pytest.raises(RateLimited) as limited:
        await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    assert limited.value.retry_after_s == 900
    await vault.sessions.identify(live.access_token)
    await vault.sessions.refresh(live.refresh_token, HERE)
    vault.clock.advance(901)
    await vault.sessions.login("ada@example.org", PASSWORD, HERE)


async def test_nothing_stored_opens_anything(vault: People, tmp_path: Path) -> None:
    _, once = await vault.users.add(UserSpec("canary@example.org", "Canary", "trader"))
    tokens = await vault.sessions.login("canary@example.org", once, HERE)
    identity = await vault.sessions.identify(tokens.access_token)
    await vault.sessions.change_password(identity, once, "canary password", HERE)
    await vault.db.dispose()
    stored = await asyncio.to_thread(lambda: b"".join(place.read_bytes() for place in tmp_path.iterdir()))
    assert b"canary@example.org" in stored
    for secret in (once, "canary password", tokens.access_token, tokens.refresh_token):
        assert secret.encode() not in stored


async def test_being_recognised_takes_one_read(vault: People) -> None:
    await vault.settled()
    tokens = await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    with sent() as statements:
        await vault.sessions.identify(tokens.access_token)
    assert len(statements) == 1
    async with vault.db.connect() as connection:
        explained = await connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN " + statements[0][0].replace("?", "'x'")
        )
        steps = [row.detail for row in explained]
    assert all("USING INDEX" in step for step in steps)


async def test_what_happened_is_in_the_audit_with_its_origin(vault: People) -> None:
    user = await vault.settled()
    await refused(vault.sessions.login("ada@example.org", "a guess", HERE))
    await refused(vault.sessions.login("eve@example.org", "a guess", HERE))
    async with vault.db.connect() as connection:
        rows = (await connection.execute(sa.select(AUDIT).order_by(AUDIT.c.position))).all()
    assert [(row.actor, row.action, row.outcome) for row in rows] == [
        ("operator", "user.add", "ok"),
        (user.user_id, "login", "ok"),
        (user.user_id, "password", "ok"),
        (user.user_id, "logout", "ok"),
        (user.user_id, "login", "bad_credentials"),
        ("nobody", "login", "bad_credentials"),
    ]
    assert {(row.address, row.request_id) for row in rows[1:]} == {(HERE.address, HERE.request_id)}


async def test_sessions_long_over_are_forgotten_with_their_tokens(vault: People) -> None:
    await vault.settled()
    await vault.sessions.login("ada@example.org", PASSWORD, HERE)
    vault.clock.advance(43_200 + 7 * 86_400)
    assert await vault.sessions.forget_ended() == 0
    vault.clock.advance(1)
    assert await vault.sessions.forget_ended() == 2
    async with vault.db.connect() as connection:
        assert (await connection.execute(sa.select(SESSIONS))).all() == []
        assert (await connection.execute(sa.select(REFRESH_TOKENS))).all() == []
