"""Prebuilt environments, as both clients ask for them and read what is answered."""

import json

from holdfast.types import Prebuild, PrebuildRequest
from tests.client.conftest import Connect, Told

WANTED = {
    "base_image": "node",
    "files": {"a.txt": "b", "c": {"base64": "AP8="}},
    "allow_network": True,
    "shared": True,
}
MADE = {
    "tag": "prebuilt-sci",
    "base_image": "node",
    "size_bytes": 10,
    "layer_size_bytes": 4,
    "status": "ready",
    "created": "2026-11-21T10:00:00Z",
    "last_used": "2026-11-21T11:00:00Z",
    "script_sha256": "ab",
    "shared": True,
    "labels": {"a": "b"},
}


def test_every_field_of_a_prebuild_is_sent_and_comes_back(connect: Connect, told: Told) -> None:
    assert {*WANTED, "tag", "setup_script"} == {*PrebuildRequest.model_fields}, "every field has a value here"
    assert MADE.keys() == Prebuild.model_fields.keys()
    told.then(200, MADE)
    assert connect(told.url).prebuild("sci", "pip install scipy", **WANTED).model_dump(mode="json") == MADE
    method, path, _, body = told.asked[0]
    assert (method, path) == ("POST", "/prebuild")
    assert json.loads(body) == {**WANTED, "tag": "sci", "setup_script": "pip install scipy"}


def test_a_build_is_streamed(connect: Connect, told: Told) -> None:
    output = '{"type":"output","seq":1,"stream":"stdout","text":"hi"}'
    built = json.dumps({"type": "built", "seq": 2, "prebuild": MADE})
    events = f"event: output\ndata: {output}\n\nevent: built\ndata: {built}\n\n"
    told.then(200, events.encode(), Content_Type="text/event-stream")
    with connect(told.url).stream_prebuild("sci", "true") as seen:
        assert [event.type for event in seen] == ["output", "built"]
    assert seen.result.tag == "prebuilt-sci"
    assert told.asked[0][1] == "/prebuild/stream"


def test_prebuilds_are_listed_shown_deleted_and_cleaned_up(connect: Connect, told: Told) -> None:
    told.then(200, {"prebuilds": [MADE]}).then(200, MADE).then(200, {"status": "deleted", "tag": "prebuilt-sci"})
    told.then(200, {"removed": ["prebuilt-sci"], "count": 1})
    client = connect(told.url)
    assert [each.tag for each in client.prebuilds().prebuilds] == ["prebuilt-sci"]
    assert client.prebuild_info("sci/..").labels == {"a": "b"}
    assert client.delete_prebuild("sci").status == "deleted"
    assert client.clean_up_prebuilds(max_age_days=2.5).removed == ("prebuilt-sci",)
    assert [(method, path) for method, path, *_ in told.asked] == [
        ("GET", "/prebuilds"),
        ("GET", "/prebuilds/sci%2F.."),
        ("DELETE", "/prebuilds/sci"),
        ("POST", "/prebuilds/cleanup?max_age_days=2.5"),
    ]
