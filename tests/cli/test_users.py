"""``sextant users`` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sextant.cli.commands import app
from sextant.errors import Conflict, InputError, NotFound
from sextant.strategies.catalog import strategies
from support.commands import run


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEXTANT_DATA_DIR", str(tmp_path))


def say(*words: str) -> None:
    app(["users", *words], exit_on_error=False, result_action="return_value")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    say(*words, "--json")
    return json.loads(capsys.readouterr().out)


def test_people_are_added_listed_granted_and_disabled(capsys: pytest.CaptureFixture[str]) -> None:
    ada = told(capsys, "add", "ada@example.org", "--name", "Ada Lovelace")
    told(capsys, "add", "root@example.org", "--role", "admin")
    free = [item.id for item in strategies().values() if item.tier == "free"]
    listed = told(capsys, "list")["users"]
    assert [(row["email"], row["role"], row["status"], row["strategies_count"]) for row in listed] == [
        ("ada@example.org", "trader", "active", len(free)),
        ("root@example.org", "admin", "active", len(strategies())),
    ]
    assert listed[0]["last_login"] is None
    assert told(capsys, "grant", "ADA@example.org", "--all") == {
        "user_id": ada["user_id"],
        "granted": sorted(set(strategies()) - set(free)),
        "revoked": [],
    }
    one = told(capsys, "grant", "ada@example.org", free[0], "--days", "30")
    assert one["revoked"] == sorted(set(strategies()) - {free[0]})
    assert told(capsys, "disable", "ada@example.org")["status"] == "suspended"
    assert told(capsys, "enable", "ada@example.org")["status"] == "active"
    say("list")
    table = capsys.readouterr().out
    assert "Lovelace" in table
    assert ada["one_time_password"] not in table


def test_what_cannot_be_done_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "add", "root@example.org", "--role", "admin")
    with pytest.raises(NotFound, match=r"nobody@example\.org"):
        say("disable", "nobody@example.org")
    with pytest.raises(Conflict, match="last active administrator"):
        say("disable", "root@example.org")
    for words, named in (((), "--all"), (("no_such",), "no_such"), (("--all", "--days", "0"), "--days")):
        with pytest.raises(InputError, match=named):
            say("grant", "root@example.org", *words)


def test_a_process_answers_with_an_exit_code(tmp_path: Path) -> None:
    done = run("users", "disable", "nobody@example.org", folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody@example.org" in done.stderr
