"""Requests made from the served document, good ones and bad ones: every answer is a declared one in a declared shape."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as openapi_checks

from support.api import Api, api_on
from support.database import sqlite

CASES: Final = int(os.environ.get("FUZZ_CASES", "5"))  # a mode and operation; `make fuzz` asks for far more
STEP_S: Final = 7.0  # of the injected clock between two requests, so that no limit is met
LOCKED_S: Final = 901.0  # wrong passwords of a case are forgotten after it
AGAIN: Final = 100  # requests after which the session is renewed
STREAMS: Final = ("scans_events",)  # answers that go on are read in tests/api/test_scans.py
CHECKS: Final = (
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
)


class Stage:
    """An API in a loop of its own, asked from synchronous code."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.api = self.runner.run(self._open())
        self.asked = 0
        self.bearer: dict[str, str] = {}
        self.schema = schemathesis.openapi.from_dict(
            _without_security(self.get("/api/v1/openapi.json").json())
        )

    async def _open(self) -> Api:
        db = await self.stack.enter_async_context(sqlite(Path(self.folder.name)))
        return await self.stack.enter_async_context(api_on(db))

    def get(self, path: str) -> httpx.Response:
        return self.runner.run(self.api.client.get(path))

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    def send(self, case: schemathesis.Case[Any]) -> httpx.Response:
        return self.runner.run(self._send(case))

    async def _send(self, case: schemathesis.Case[Any]) -> httpx.Response:
        self.api.clock.advance(STEP_S)
        if self.asked % AGAIN == 0 or case.operation.path.endswith("/logout"):
            self.api.clock.advance(LOCKED_S)
            _, self.bearer = await self.api.onboarded("root@example.org", "admin")
        self.asked += 1
        told = case.as_transport_kwargs(base_url="http://sextant.test")
        headers = httpx.Headers(told.get("headers", {}))
        headers["Authorization"] = self.bearer["Authorization"]
        facts: dict[str, Any] = {
            str(name): told[name] for name in ("method", "url", "params", "json") if name in told
        }
        if isinstance(told.get("data"), bytes | str):
            facts["content"] = told["data"]
        request = self.api.client.build_request(headers=headers, **facts)
        return await self.api.client.send(request)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def _without_security(document: dict[str, Any]) -> dict[str, Any]:
    """The document without credentials: tests/api/test_matrix.py leaves them out, here each request has one."""
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["security"] = []
    return document


def _can_be_wrong(operation: Any) -> bool:
    """Whether a request has a field that could break its schema; any text is a path parameter."""
    raw = operation.definition.raw
    return "requestBody" in raw or any(item["in"] == "query" for item in raw.get("parameters", ()))


def _is_wrong_on_the_wire(case: schemathesis.Case[Any]) -> bool:
    """Whether what makes a case wrong is sent at all: nothing, empty lists and lists of one word look right."""
    query = case.query or {}
    lost = any(value is None or isinstance(value, list | dict) for value in query.values())
    return not lost and (bool(query) or case.body is not NOT_SET)


def operations(stage: Stage) -> list[Any]:
    found = [result.ok() for result in stage.schema.get_all_operations() if isinstance(result, Ok)]
    return [item for item in found if item.definition.raw["operationId"] not in STREAMS]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_every_answer_is_a_declared_one(stage: Stage, mode: GenerationMode) -> None:
    count = 0
    for operation in operations(stage):
        if mode is GenerationMode.POSITIVE or _can_be_wrong(operation):
            count += walk(stage, operation.as_strategy(generation_mode=mode), mode)
    assert count >= CASES * len(operations(stage)) / 3, "something was sent"


def walk(stage: Stage, strategy: Any, mode: GenerationMode) -> int:
    count = 0

    @seed(20_260_301)
    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def one(case: schemathesis.Case[Any]) -> None:
        nonlocal count
        count += 1
        answer = stage.send(case)
        if mode is GenerationMode.NEGATIVE and _is_wrong_on_the_wire(case):
            told = (case.operation.label, case.query, case.body, answer.text[:300])
            assert 400 <= answer.status_code < 500, told
        case.validate_response(answer, checks=list(CHECKS))

    one()
    return count
