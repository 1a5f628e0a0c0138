"""The OpenAPI 3.1 document, made from the routes and the shapes of their bodies and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from sextant.api.endpoint import PUBLIC, Endpoint, NoQuery
from sextant.api.problems import MEDIA_TYPE, Problem

_TEMPLATE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_PUBLIC_ERRORS: Final = (400, 404, 405, 413, 415, 422, 429, 500, 503)
_COMMON_ERRORS: Final = (400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503)


def document(endpoints: Sequence[Endpoint], version: str) -> bytes:
    """The document of these routes as JSON."""
    shapes = sorted(
        {
            shape
            for item in endpoints
            for shape in (item.answer, item.body, None if item.query is NoQuery else item.query)
            if shape is not None
        }
        | {Problem},
        key=lambda shape: shape.__name__,
    )
    _, components = msgspec.json.schema_components(shapes, ref_template=_TEMPLATE)
    queries = {item.query.__name__ for item in endpoints if item.query is not NoQuery}
    paths: dict[str, dict[str, Any]] = {}
    for item in endpoints:
        paths.setdefault(item.path, {})[item.method.lower()] = _operation(item, components)
    schemas = {name: schema for name, schema in components.items() if name not in queries}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": "Sextant",
                "version": version,
                "description": "Portfolio, market state and explained opportunity scans.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "An access token, or a personal API key (sxk_...).",
                    }
                },
            },
        },
        order="sorted",
    )


def _operation(item: Endpoint, components: dict[str, Any]) -> dict[str, Any]:
    access = item.access if isinstance(item.access, str) else " or ".join(item.access)
    operation: dict[str, Any] = {
        "operationId": item.name,
        "summary": item.summary,
        "tags": [item.name.partition("_")[0]],
        "security": [] if item.access == PUBLIC else [{"bearer": []}],
        "x-permission": access,
        "x-session-only": item.session_only,
        "x-proof": list(item.proof),
        "x-rate-policy": {"name": item.policy.name, "q": item.policy.quota, "w": item.policy.window_s},
        "responses": _responses(item),
    }
    parameters = _parameters(item, components)
    if parameters:
        operation["parameters"] = parameters
    if item.body is not None:
        operation["requestBody"] = {
            "required": bool(components[item.body.__name__].get("required")),
            "content": {"application/json": {"schema": _ref(item.body)}},
        }
    return operation


def _parameters(item: Endpoint, components: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(item.path)
    ]
    if item.query is not NoQuery:
        shape = components[item.query.__name__]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in shape.get("required", ()),
                "schema": schema,
            }
            for name, schema in shape["properties"].items()
        ]
    if item.method == "POST" and item.idempotency:
        key = {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,128}$"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    if item.media_type == "text/event-stream":
        number = {"type": "integer", "minimum": 0}
        parameters.append({"name": "Last-Event-ID", "in": "header", "required": False, "schema": number})
    return parameters


def _responses(item: Endpoint) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(item.status).phrase}
    if item.answer is not None:
        success["content"] = {item.media_type: {"schema": _ref(item.answer)}}
    elif item.status != HTTPStatus.NO_CONTENT:
        success["content"] = {item.media_type: {"schema": {"type": "string"}}}
    responses = {str(item.status): success}
    common = _PUBLIC_ERRORS if item.access == PUBLIC else _COMMON_ERRORS
    for status in sorted({*common, *item.errors} - {item.status}):
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if status < HTTPStatus.BAD_REQUEST:
            if status == HTTPStatus.ACCEPTED:
                answer["content"] = success["content"]
        else:
            shapes = [_ref(Problem)]
            answer["content"] = {MEDIA_TYPE: {"schema": shapes[0]}}
            if status == HTTPStatus.SERVICE_UNAVAILABLE and status in item.errors and item.answer is not None:
                answer["content"][item.media_type] = {"schema": _ref(item.answer)}
        responses[str(status)] = answer
    return responses


def _ref(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=shape.__name__)}
