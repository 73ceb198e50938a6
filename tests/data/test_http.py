"""The routes of datasets: whom they belong to, what they take and answer, and how they refuse."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest

from holdfast.api.documentation import JSON
from tests.data.conftest import Shelf

pytestmark = pytest.mark.anyio

RAIN = {"files": {"rain.csv": "day,mm\n2026-02-01,3.5\n2026-02-02,0\n"}}
PROBLEM = "application/problem+json"


@pytest.fixture
async def client(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    async with shelf.client() as client:
        yield client


def form(**files: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{name}.csv", data)) for name, data in files.items()]


async def test_the_life_of_a_dataset(shelf: Shelf, client: httpx.AsyncClient) -> None:
    answer = await client.post("/datasets", json={**RAIN, "name": "Rain", "prompts": ["Which day was wettest?"]})
    assert answer.status_code == 201, answer.text
    made = answer.json()["dataset"]
    assert answer.json()["files"][0]["encoding"] == "utf-8"
    assert (made["id"], made["tables"][0]["row_count"], len(made["digest"])) == ("rain", 2, 64)
    assert (await client.get("/datasets/rain")).json() == made
    listed = {each["id"]: each for each in (await client.get("/datasets")).json()["datasets"]}
    assert set(listed) == {"ecommerce", "rain", "sensors", "support"}
    assert listed["rain"]["version_hash"] == "sha256:" + made["digest"]
    assert listed["rain"]["prompts"] == ["Which day was wettest?"]
    schema = (await client.get("/datasets/rain/schema")).json()
    assert schema["files"][0]["schema"]["mm"] == {"type": "DOUBLE", "description": "", "nullable": False}
    assert schema["files"][0]["sample_rows"][0] == {"day": "2026-02-01", "mm": "3.5"}
    report = (await client.get("/datasets/rain/report")).json()
    assert report["files"] == answer.json()["files"]
    assert (await client.delete("/datasets/rain")).json() == {"status": "deleted", "id": "rain"}
    for path in ("/datasets/rain", "/datasets/rain/schema", "/datasets/rain/report"):
        assert (await client.get(path)).status_code == 404
    assert (await client.delete("/datasets/rain")).status_code == 404


async def test_a_form_may_be_larger_than_other_bodies_and_its_files_are_the_tables(
    shelf: Shelf, client: httpx.AsyncClient
) -> None:
    large = b"n,text\n" + b"".join(b"%d,%060d\n" % (number, number) for number in range(300_000))
    assert len(large) > shelf.app.settings.max_body_bytes
    links = [{"from_table": "small", "from_column": "n", "to_table": "large", "to_column": "n"}]
    fields = {"name": "Both", "relationships": json.dumps(links), "prompts": '["How many?"]', "skip_rejected": "false"}
    answer = await client.post("/datasets", data=fields, files=form(large=large, small=b"n\n7\n"))
    assert answer.status_code == 201, answer.text
    made = answer.json()["dataset"]
    assert {table["name"]: table["row_count"] for table in made["tables"]} == {"large": 300_000, "small": 1}
    assert (made["relationships"], made["prompts"]) == (links, ["How many?"])
    assert await shelf.ask(made["digest"], "SELECT text FROM large JOIN small USING (n)") == [[f"{7:060}"]]


async def test_an_id_is_replaced_by_its_owner_at_once(shelf: Shelf, client: httpx.AsyncClient) -> None:
    first = (await client.post("/datasets", json={**RAIN, "id": "weather"})).json()["dataset"]
    second = (await client.post("/datasets", json={"id": "weather", "files": {"x.csv": "a\n1\n"}})).json()["dataset"]
    assert first["digest"] != second["digest"]
    assert (await client.get("/datasets/weather")).json() == second
    broken = await client.post("/datasets", json={"id": "weather", "files": {"x.csv": "a,b\n1\n1,2,3\n"}})
    assert broken.status_code == 422
    assert (await client.get("/datasets/weather")).json() == second


async def test_a_broken_file_is_a_problem_with_the_lines(client: httpx.AsyncClient) -> None:
    answer = await client.post("/datasets", json={"files": {"x.csv": "a,b\n1,2\n3\n4,5\n"}})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    problem = answer.json()
    assert (problem["code"], problem["field"]) == ("ingest_failed", "files")
    [file] = problem["report"]["files"]
    assert [(line["line"], line["reason"]) for line in file["rejected"]] == [(3, "too few columns")]
    assert "line 3 of x.csv" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "files"),
        ({"files": {}}, 422, "files"),
        ({"files": {"a.pdf": "x"}}, 422, "files"),
        ({**RAIN, "id": "No Id"}, 422, "id"),
        ({**RAIN, "id": "ecommerce"}, 422, "id"),
        ({**RAIN, "odd": 1}, 422, "odd"),
        ({**RAIN, "name": "x" * 201}, 422, "name"),
        (
            {
                **RAIN,
                "relationships": [{"from_table": "rain", "from_column": "x", "to_table": "rain", "to_column": "mm"}],
            },
            422,
            "relationships.0",
        ),
        ({"files": {"a.csv": {"base64": "%"}}}, 422, "files"),
        ({"files": {f"{number}.csv": "x" for number in range(101)}}, 413, "files"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_field(
    shelf: Shelf, client: httpx.AsyncClient, body: dict[str, Any], status: int, field: str
) -> None:
    await client.get("/datasets")
    before = shelf.directories
    answer = await client.post("/datasets", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert answer.json().get("field", "").startswith(field)
    assert shelf.directories == before


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=", b"--\r\n", 400),
        ("multipart/form-data; boundary=b", b"no form", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\nx\n1',
            400,
        ),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", 422),
        ("text/csv", b"a\n1\n", 415),
        ("application/x-www-form-urlencoded", b"files=1", 415),
        (JSON, b"{", 400),
    ],
)
async def test_a_body_that_is_no_dataset_is_refused(
    shelf: Shelf, client: httpx.AsyncClient, content_type: str, body: bytes, status: int
) -> None:
    await client.get("/datasets")
    before = shelf.directories
    answer = await client.post("/datasets", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert shelf.directories == before


async def test_only_datasets_are_sent_as_forms_and_no_page_elsewhere_can(client: httpx.AsyncClient) -> None:
    assert (await client.post("/run", files=form(a=b"x"))).status_code == 415
    answer = await client.post("/datasets", files=form(a=b"x\n1\n"), headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 403


async def test_files_above_the_limit_are_413_and_leave_nothing(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with(dataset_upload=100_000)
    async with shelf.client() as client:

        async def endless() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
            while True:
                yield b"x\n" * 10_000

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answers = [
            await client.post("/datasets", content=endless(), headers=headers),
            await client.post("/datasets", files=form(a=b"x" * 100_001)),
            await client.post("/datasets", json={"files": {"a.csv": "x" * 100_001}}),
        ]
    assert [answer.status_code for answer in answers] == [413, 413, 413]
    assert "HOLDFAST_DATASET_UPLOAD" in answers[0].json()["detail"]
    assert shelf.directories == []


async def test_files_that_do_not_come_hold_no_place(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with(dataset_timeout=0.5)

    async def stalled() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\nx\n'
        await anyio.sleep(60)

    async with shelf.client() as client:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await client.post("/datasets", content=stalled(), headers=headers)
    assert (answer.status_code, "HOLDFAST_DATASET_TIMEOUT" in answer.json()["detail"]) == (400, True)
    assert shelf.directories == []


async def test_number_and_size_of_datasets_are_bounded(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with(dataset_count=1)
    async with shelf.client() as client:
        assert (await client.post("/datasets", json=RAIN)).status_code == 201
        answer = await client.post("/datasets", json=RAIN)
        assert (answer.status_code, answer.json()["code"]) == (422, "over_ceiling")
        assert "HOLDFAST_DATASET_COUNT" in answer.json()["detail"]
        assert (await client.post("/datasets", json={**RAIN, "id": "rain"})).status_code == 201


async def test_tables_above_the_room_there_is_are_refused(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with(dataset_total=100_000)
    async with shelf.client() as client:
        answer = await client.post("/datasets", json=RAIN)
    assert (answer.status_code, answer.json()["code"]) == (422, "ingest_failed")
    assert "100,000 bytes" in answer.json()["detail"]
    assert shelf.directories == []


async def test_a_dataset_belongs_to_the_key_that_made_it(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with()
    keys = shelf.app.keys
    secrets = {"alice": keys.add("alice", "run"), "bob": keys.add("bob", "run"), "root": keys.add("root", "admin")}
    alice, bob, root = (shelf.client(secret) for secret in secrets.values())
    async with alice, bob, root:
        made = (await alice.post("/datasets", json={**RAIN, "id": "rain"})).json()["dataset"]
        for path in ("", "/schema", "/report"):
            assert (await alice.get(f"/datasets/rain{path}")).status_code == 200
            assert (await root.get(f"/datasets/rain{path}")).status_code == 200
            assert (await bob.get(f"/datasets/rain{path}")).status_code == 404
        assert "rain" not in {each["id"] for each in (await bob.get("/datasets")).json()["datasets"]}
        assert (await bob.delete("/datasets/rain")).status_code == 404
        assert (await bob.post("/datasets", json={**RAIN, "id": "rain"})).status_code == 422
        assert (await bob.post("/datasets", json={**RAIN, "shared": True})).status_code == 403
        same = (await bob.post("/datasets", json=RAIN)).json()["dataset"]
        assert (same["digest"], same["id"] != "rain") == (made["digest"], True)
        assert (await alice.delete("/datasets/rain")).status_code == 200
        assert await shelf.ask(same["digest"], "SELECT count(*) FROM rain") == [[2]], "what bob has is still there"
        assert (await root.post("/datasets", json={**RAIN, "id": "all", "shared": True})).status_code == 201
        assert (await bob.get("/datasets/all")).status_code == 200
        assert (await bob.delete("/datasets/all")).status_code == 403
        assert (await bob.delete("/datasets/ecommerce")).status_code == 403
        assert (await root.delete("/datasets/ecommerce")).status_code == 403
