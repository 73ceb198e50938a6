"""The page as it is served: policy, compression, caching, and nothing that is not a file of it."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

import holdfast
from holdfast.app import App

pytestmark = pytest.mark.anyio

FOLDER = Path(holdfast.__file__).parent / "web"
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())
OURS = [name for name in FILES if name.endswith(".js") and not name.startswith("vendor/")]
MAX_MODULE_LINES = 400
REFERENCE = re.compile(r'(?:from|import\()\s*"([^"]+)"')


async def version(client: httpx.AsyncClient) -> str:
    found = re.search(r'"(/web/[0-9a-f]{16}/)main\.js"', (await client.get("/")).text)
    assert found
    return found[1]


async def test_every_answer_of_the_page_carries_a_policy_without_exceptions(client: httpx.AsyncClient) -> None:
    base = await version(client)
    for path in ("/", f"{base}main.js", f"{base}styles/base.css", f"{base}vendor/charts.js"):
        policy = (await client.get(path)).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


async def test_every_file_is_served_and_needs_no_key(client: httpx.AsyncClient, app: App) -> None:
    app.keys.add("first")
    base = await version(client)
    for name in FILES:
        answer = await client.get(base + name)
        assert answer.status_code == 200, name
        assert answer.content == (FOLDER / name).read_bytes(), name


async def test_files_are_compressed_for_whoever_takes_that(client: httpx.AsyncClient) -> None:
    path = f"{await version(client)}vendor/codemirror.js"
    async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(raw) * 2 < len(gzip.decompress(raw))
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == gzip.decompress(raw)


async def test_a_file_of_this_version_is_kept_for_ever_and_any_other_is_asked_for_again(
    client: httpx.AsyncClient,
) -> None:
    base = await version(client)
    assert "immutable" in (await client.get(f"{base}main.js")).headers["cache-control"]
    for path in ("/", "/web/current/main.js", "/web/0123456789abcdef/main.js"):
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-cache"
        again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["..%2f__init__.py", "nothing.js", "core", "", "%00", "a" * 5000, "%2e%2e/errors.py"])
async def test_what_is_no_file_of_the_page_is_404(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/web/current/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_page_names_no_other_host_and_has_no_script_of_its_own(client: httpx.AsyncClient) -> None:
    page = (await client.get("/", headers={"Accept": "text/html"})).text
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', page) == []
    assert re.findall(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page) == []


@pytest.mark.parametrize("name", OURS)
def test_a_module_of_the_page_is_small_and_leads_only_to_files_of_ours(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    for target in REFERENCE.findall(text):
        assert target.startswith("."), target
        assert (FOLDER / name).parent.joinpath(target).resolve().is_file(), target


@pytest.mark.parametrize("name", OURS)
def test_no_module_of_the_page_can_put_markup_into_it(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|srcdoc\s*[=:]|\beval\(|new Function", text
        )
        == []
    )
