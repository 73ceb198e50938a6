"""The description of the API: current, complete, and shown without the help of any other host."""

import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from holdfast.api import create_api, described, page
from holdfast.api.documentation import text
from holdfast.app import App

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
FOREIGN = re.compile(r"(?:https?:|src=|@import|url\()\s*[\"']?(?://)?[\w.-]*", re.I)


async def test_the_checked_in_description_is_what_the_server_says(client: httpx.AsyncClient) -> None:
    checked_in = (ROOT / "docs/openapi.json").read_text()
    assert checked_in == text(described()), "run: make openapi"
    assert (await client.get("/openapi.json")).text == checked_in


async def test_every_route_is_described(app: App) -> None:
    paths = {route.path_format for route in create_api(app).routes if isinstance(route, Route)}
    assert paths - set(described()["paths"]) == {page.FILES + "{version}/{name}"}


async def test_every_operation_says_what_it_refuses_and_needs_a_key_unless_open() -> None:
    schema = described()
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            refused = {status for status in operation["responses"] if not status.startswith("2")}
            assert ("401" in refused) == (operation.get("security") is None), path
            assert all(operation["responses"][status]["$ref"] for status in refused)
    assert schema["security"] == [{"key": []}, {"bearer": []}]


async def test_every_reference_leads_somewhere_and_every_refusal_has_an_example() -> None:
    schema = described()
    for kind in ("schemas", "responses"):
        referenced = set(re.findall(rf'"#/components/{kind}/([^"]+)"', json.dumps(schema)))
        assert referenced <= set(schema["components"][kind])
    for status, response in schema["components"]["responses"].items():
        assert response["content"]["application/problem+json"]["example"]["status"] == int(status)


async def test_the_page_shows_every_operation_and_names_no_foreign_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, methods in described()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page.text
    assert FOREIGN.findall(page.text) == []
    assert "<script" not in page.text
    assert re.findall(r'href="(?!/)[^"]*"', page.text) == []
