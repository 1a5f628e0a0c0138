from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Litestar

from support.api import Api, filled

REFERENCE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.json"
PARAMETER = re.compile(r"\{(\w+)\}")


async def document(api: Api) -> dict[str, Any]:
    body: dict[str, Any] = (await api.client.get("/api/v1/openapi.json")).json()
    return body


def operations(body: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    }


async def test_the_document_has_exactly_the_mounted_routes(api: Api) -> None:
    assert isinstance(api.app.behind, Litestar)
    mounted = {
        (method, PARAMETER.sub(lambda found: "{" + found[1].partition(":")[0] + "}", route.path_format))
        for route in api.app.behind.routes
        for method in route.methods
        if method != "OPTIONS"
    }
    assert mounted == set(operations(await document(api)))


async def test_every_operation_says_who_may_call_it_and_what_it_answers(api: Api) -> None:
    body = await document(api)
    table = operations(body)
    names = [operation["operationId"] for operation in table.values()]
    assert len(set(names)) == len(names)
    for (_, path), operation in table.items():
        public = operation["x-permission"] == "public"
        assert operation["security"] == ([] if public else [{"bearer": []}])
        assert operation["x-proof"]
        wanted = {"400", "404", "405", "413", "415", "422", "429", "500", "503"}
        assert (wanted if public else wanted | {"401", "403"}) <= set(operation["responses"])
        named = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
        assert named == set(PARAMETER.findall(path))


async def test_every_reference_is_there_and_every_request_refuses_what_it_does_not_know(api: Api) -> None:
    body = await document(api)
    schemas = body["components"]["schemas"]
    used = set(re.findall(r"#/components/schemas/(\w+)", str(body)))
    assert used == set(schemas)
    for operation in operations(body).values():
        if "requestBody" in operation:
            ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert schemas[ref.rpartition("/")[2]]["additionalProperties"] is False


async def test_bounds_of_requests_are_in_the_document(api: Api) -> None:
    schemas = (await document(api))["components"]["schemas"]
    login = schemas["LoginBody"]
    assert (login["properties"]["password"]["minLength"], login["properties"]["password"]["maxLength"]) == (
        8,
        128,
    )
    assert login["required"] == ["email", "password"]
    assert schemas["Progress"]["properties"]["percentage"]["maximum"] == 100


async def test_the_document_equals_the_committed_reference(api: Api, tmp_path: Path) -> None:
    served = (await api.client.get("/api/v1/openapi.json")).content
    fresh = tmp_path / "openapi.json"
    fresh.write_bytes(msgspec.json.format(served, indent=1) + b"\n")
    assert REFERENCE.read_bytes() == fresh.read_bytes(), f"the routes have changed: cp {fresh} {REFERENCE}"


async def test_the_document_of_a_build_is_one_file_with_a_strong_tag(api: Api) -> None:
    first = await api.client.get("/api/v1/openapi.json")
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    again = await api.client.get("/api/v1/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_failed_check_answers_with_a_declared_status(api: Api) -> None:
    table = operations(await document(api))
    for (method, path), operation in table.items():
        answer = await api.client.request(method, filled(path))
        assert str(answer.status_code) in operation["responses"], (method, path)
