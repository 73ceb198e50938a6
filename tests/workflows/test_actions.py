"""The actions that are built in."""

import gzip
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from holdfast.agents.workflow.handler import WorkflowHandler
from holdfast.agents.workflow.stores import Artifacts, DirectoryCache
from holdfast.errors import TooLargeError, WorkspaceError
from tests.workflows.conftest import World

pytestmark = pytest.mark.anyio


def archive(data: bytes) -> dict[str, object]:
    import base64

    return {"archive": {"base64": base64.b64encode(data).decode()}}


async def test_checkout_places_the_workspace_of_the_task(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    steps:
      - run: ls | wc -l
      - uses: actions/checkout@v4
      - run: cat src/main.txt
      - {uses: actions/checkout@v4, with: {path: copy, fetch-depth: 0}}
      - run: ls copy
""",
        workspace={"files": {"src/main.txt": "text", "b": "b"}},
    )
    assert task.failure is None and task.out == ["0", "text", "b", "src"]
    assert (
        "+text" in task.files["workspace.diff"].decode()
        and "copy/src/main.txt" in task.files["workspace.diff"].decode()
    )


def _repository(folder: Path) -> bytes:
    """A tar of a repository with two commits, the first of which is called v1."""
    script = """
git init -q -b main . && git config user.email a@b.c && git config user.name a
echo 1 > file && git add . && git commit -qm one && git tag v1 && echo 2 > file && git commit -qam two
"""
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    return packed.getvalue()


async def test_checkout_switches_to_a_ref_that_the_workspace_holds(world: World, tmp_path: Path) -> None:
    packed = _repository(tmp_path)
    task = await world.run(
        """
jobs:
  a:
    steps:
      - uses: actions/checkout@v4
      - run: cat file; git status --short
      - {uses: actions/checkout@v4, with: {ref: v1}}
      - run: cat file
      - {uses: actions/checkout@v4, with: {ref: nowhere}}
""",
        workspace=archive(packed),
    )
    assert task.out == ["2", "1"]
    assert task.failure is not None and "cannot be switched to 'nowhere'" in task.failure.message


async def test_a_zip_is_unpacked_inside_of_the_sandbox(world: World) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("d/a.txt", "zipped")
    task = await world.run({"steps": [{"run": "cat d/a.txt"}]}, workspace=archive(packed.getvalue()))
    assert task.out == ["zipped"]


def _tar(name: str, **fields: object) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        for key, value in fields.items():
            setattr(member, key, value)
        tar.addfile(member)
    return packed.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_tar("../out"), "leads out of the workspace"),
        (_tar("/etc/passwd"), "leads out of the workspace"),
        (_tar("a/../../b"), "leads out of the workspace"),
        (_tar("dev", type=tarfile.CHRTYPE), "no file, directory or symbolic link"),
        (_tar("pipe", type=tarfile.FIFOTYPE), "no file, directory or symbolic link"),
        (_tar("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "no file, directory or symbolic link"),
        (_zip("../out", b""), "leads out of the workspace"),
        (b"PK no zip", "neither a tar nor a zip"),
        (b"nothing", "neither a tar nor a zip"),
    ],
)
async def test_a_hostile_archive_is_refused_with_the_reason(world: World, data: bytes, reason: str) -> None:
    with pytest.raises(WorkspaceError, match=reason) as refused:
        await world.run({"steps": [{"run": "ls"}]}, workspace=archive(data))
    assert len(refused.value.detail.splitlines()) == 1


def _bomb(kind: str) -> bytes:
    """An archive that is a thousandth of what it describes."""
    packed, piece = io.BytesIO(), bytes(1 << 20)
    if kind == "one large file":
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as out:
            out.write(_tar("bomb", size=600 << 20)[:512])
            for _ in range(600):
                out.write(piece)
        return packed.getvalue()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for number in range(60):
            with made.open(f"bomb-{number}", "w") as file:
                for _ in range(10):
                    file.write(piece)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("one large file", "larger than the workspace may be"),
        ("many files", "The workspace is full|needed more memory"),
    ],
)
async def test_an_archive_that_is_a_bomb_is_refused_in_its_sandbox(world: World, kind: str, reason: str) -> None:
    data = _bomb(kind)
    assert len(data) < 4 << 20
    with pytest.raises(WorkspaceError, match=f"(?i){reason}"):
        await world.run({"steps": [{"run": "ls"}]}, workspace=archive(data))


async def test_a_link_in_an_archive_is_never_written_through(world: World) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(link)
        inside = tarfile.TarInfo("link/planted")
        inside.size = 1
        tar.addfile(inside, io.BytesIO(b"x"))
    with pytest.raises(WorkspaceError):
        await world.run({"steps": [{"run": "ls /tmp"}]}, workspace=archive(packed.getvalue()))


async def test_artifacts_go_from_job_to_job_and_are_kept(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    steps:
      - run: mkdir -p out/deep && echo 1 > out/a.txt && echo 2 > out/deep/b.txt && echo 3 > out/c.log
      - uses: actions/upload-artifact@v4
        with:
          name: built
          path: |
            out/**/*.txt
            out/*.txt
            !out/**/b.txt
      - {uses: actions/upload-artifact@v4, with: {path: out/c.log}}
  b:
    needs: a
    steps:
      - {uses: actions/download-artifact@v4, with: {name: built, path: got}}
      - run: find got -type f
      - {uses: actions/download-artifact@v4, with: {path: every}}
      - run: find every -type f | sort
"""
    )
    assert task.failure is None, task.said
    assert task.out == ["got/out/a.txt", "every/artifact/out/c.log", "every/built/out/a.txt"]
    assert sorted(name for name in task.files if name.startswith(("built", "artifact"))) == [
        "artifact.tar",
        "built.tar",
    ]


async def test_an_artifact_of_nothing_is_a_warning_or_a_failure_as_asked(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    steps:
      - {uses: actions/upload-artifact@v4, with: {path: no}}
      - {uses: actions/upload-artifact@v4, with: {path: no, if-no-files-found: error}}
"""
    )
    assert [state for _, state in task.steps] == ["success", "failure"]
    assert "No file fits no." in task.logs("warning")


@pytest.mark.parametrize("name", ["workspace", "../x", ".hidden", "a/b", "x" * 101])
async def test_an_artifact_with_a_name_that_cannot_be_is_refused(world: World, name: str) -> None:
    task = await world.run(
        {
            "jobs": {
                "a": {
                    "steps": [
                        {"run": "echo x > f"},
                        {"uses": "actions/upload-artifact@v4", "with": {"path": "f", "name": name}},
                    ]
                }
            }
        }
    )
    assert task.failure is not None and "is no name for an artifact" in task.failure.message and task.files == {}


async def test_an_artifact_there_is_not_is_an_error_that_names_those_there_are(world: World) -> None:
    task = await world.run("jobs: {a: {steps: [{uses: actions/download-artifact@v4, with: {name: x}}]}}")
    assert task.failure is not None and "There is no artifact 'x'; there are none" in task.failure.message


def test_artifacts_are_bounded_together_and_not_replaced_unasked() -> None:
    kept = Artifacts(most=100)
    kept.put("a", bytes(60), overwrite=False)
    with pytest.raises(TooLargeError):
        kept.put("b", bytes(60), overwrite=False)
    with pytest.raises(WorkspaceError, match="already"):
        kept.put("a", b"", overwrite=False)
    kept.put("a", b"new", overwrite=True)
    assert kept.get("a") == b"new"


CACHING = """
jobs:
  a:
    steps:
      - uses: actions/checkout@v4
      - id: cache
        uses: actions/cache@v4
        with: {path: made, key: "v1-${{ hashFiles('in') }}", restore-keys: v1-}
      - run: echo "hit=${{ steps.cache.outputs.cache-hit }}"; mkdir -p made; cat made/* 2>/dev/null || true; cp in made/
"""


async def test_cache_keeps_by_content_for_later_tasks(world: World, tmp_path: Path) -> None:
    world.handler = WorkflowHandler(world.executor, cache=DirectoryCache(tmp_path, 1 << 20))
    said = [await world.run(CACHING, workspace={"files": {"in": text}}) for text in ("1\n", "1\n", "2\n")]
    assert [task.out for task in said] == [["hit=false"], ["hit=true", "1"], ["hit=false", "1"]]


def test_a_cache_is_its_owners_and_its_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path, 100)
    cache.put("me", "v", "k1", bytes(60))
    assert cache.get("me", "v", "k1", []) == ("k1", bytes(60))
    assert cache.get("you", "v", "k1", []) is None and cache.get("me", "other", "k1", []) is None
    assert cache.get("me", "v", "absent", ["x", "k"]) == ("k1", bytes(60))
    cache.put("me", "v", "../../k2", bytes(50))
    assert cache.get("me", "v", "k1", []) is None
    assert cache.get("me", "v", "../../k2", []) == ("../../k2", bytes(50))
    assert {path.parent.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path}


async def test_a_clone_needs_a_network_that_the_operator_allows(world: World) -> None:
    with pytest.raises(Exception, match="HOLDFAST_ALLOW_NETWORK"):
        await world.run({"steps": [{"run": "ls"}]}, workspace={"git": {"url": "https://example.org/a.git"}})


@pytest.mark.parametrize("url", ["file:///etc", "ssh://a@b/c", "--upload-pack=x", "ext::sh -c id", "/etc"])
async def test_only_addresses_of_the_network_are_cloned(world: World, url: str) -> None:
    with pytest.raises(Exception, match="must begin with https"):
        await world.run({"steps": [{"run": "ls"}]}, workspace={"git": {"url": url}})
