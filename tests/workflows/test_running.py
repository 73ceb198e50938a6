"""Workflows do what they say."""

import io
import tarfile
from typing import Any

import pytest

from holdfast.errors import UnsupportedError
from tests.workflows.conftest import World

pytestmark = pytest.mark.anyio


async def test_a_plain_list_of_steps_runs_in_a_real_shell_in_the_workspace(world: World) -> None:
    task = await world.run(
        {
            "steps": [
                {"type": "run", "name": "count", "run": "cat a.txt | wc -l; echo ${X:-none} > b && cat b"},
                {"type": "env", "env": {"X": "set"}},
                {"run": "echo $X", "env": {"Y": "own"}},
                {"run": "echo [$Y]"},
                {"type": "checkout"},
            ]
        },
        workspace={"files": {"a.txt": "1\n2\n"}},
    )
    assert task.failure is None, task.said
    assert task.out == ["2", "none", "set", "[]"]
    assert task.steps[0] == ("count", "success") and [state for _, state in task.steps] == ["success"] * 5
    assert b"+none" in task.files["workspace.diff"] and len(task.files["workspace.tar"]) > 0


async def _changed(world: World, files: dict[str, str], script: str) -> tuple[list[str], bytes]:
    """Which files the patch speaks of after a script, and the patch."""
    task = await world.run({"steps": [{"type": "checkout"}, {"run": script}]}, workspace={"files": files})
    assert task.failure is None, task.said
    patch = task.files["workspace.diff"]
    heads = [line for line in patch.decode().splitlines() if line.startswith("diff --git")]
    return [line.split(" b/")[1] for line in heads], patch


async def test_a_patch_has_what_was_written_and_not_what_git_or_nobody_would_keep(world: World) -> None:
    made = """
echo new > new.txt; echo more >> kept.txt; echo x > debug.log; mkdir -p out && echo x > out/built
mkdir -p src/__pycache__ node_modules/m .venv/bin .git/objects && touch src/__pycache__/a.cpython-311.pyc b.pyc
echo x > node_modules/m/index.js; echo x > .venv/bin/python; echo x > .git/objects/x; echo x > src/__pycache__/note
mkdir -p lib/deep :/secret && echo x > lib/deep/made.c && echo x > lib/deep/kept.c && echo x > made.c
echo x > :/secret/note; mkdir secret && echo x > secret/note
"""
    files = {
        "kept.txt": "1\n",
        ".gitignore": "*.log\nout/\n/secret\n",
        "lib/deep/.gitignore": "*.c\n!kept.c\n",
    }
    task = await world.run({"steps": [{"type": "checkout"}, {"run": made}]}, workspace={"files": files})
    assert task.failure is None, task.said
    patch = task.files["workspace.diff"].decode()
    assert [line.split(" b/")[1] for line in patch.splitlines() if line.startswith("diff --git")] == [
        ":/secret/note",
        "kept.txt",
        "lib/deep/kept.c",
        "made.c",
        "new.txt",
    ]
    with tarfile.open(fileobj=io.BytesIO(task.files["workspace.tar"])) as tar:
        names = tar.getnames()
    assert {"node_modules/m/index.js", "debug.log", "b.pyc"} <= {*names}, "the workspace itself is as it was left"


HIDING = {
    "a rule for everything": "echo '*' > .gitignore",
    "a rule that names itself": "printf 'evil.py\\n.gitignore\\n' > .gitignore",
    "a rule further down": "mkdir -p d && echo x > d/evil.py && echo '*' > d/.gitignore",
    "the rules of a clone": "mkdir -p .git/info && echo evil.py > .git/info/exclude",
    "the rules of a user": "mkdir -p .config/git && echo evil.py > .config/git/ignore",
    "a repository within": "mkdir d && git init --quiet d && echo x > d/evil.py",
    "a link for a rule": "echo '*' > rules && ln -s rules .gitignore",
    "other rules than before": "echo evil.py > lib/.gitignore && echo x > lib/evil.py",
}


@pytest.mark.parametrize("way", HIDING)
async def test_what_a_program_wants_to_be_ignored_is_in_the_patch(world: World, way: str) -> None:
    named, _ = await _changed(world, {"lib/.gitignore": "*.o\n"}, f"echo x > evil.py\n{HIDING[way]}\ntouch lib/a.o")
    within = {"a rule further down": "d/", "a repository within": "d/", "other rules than before": "lib/"}.get(way, "")
    assert {"evil.py", f"{within}evil.py"} <= {*named}
    assert "lib/a.o" not in named, "what was ignored before"


ATTRIBUTES = ("-diff", "binary", "filter=none -text", "export-ignore", "text eol=crlf", "ident", "diff=nothing")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
async def test_attributes_that_a_program_sets_do_not_change_what_the_patch_shows(world: World, attribute: str) -> None:
    script = f"""
printf '$Id: changed $\\r\\n' > old.py; printf '$Id: new $\\r\\n' > evil.py; mkdir d && cp evil.py d
echo '*.py {attribute}' | tee .gitattributes > d/.gitattributes
"""
    named, patch = await _changed(world, {"old.py": "$Id: old $\r\n"}, script)
    assert named == [".gitattributes", "d/.gitattributes", "d/evil.py", "evil.py", "old.py"]
    assert patch.count(b"+$Id: new $\r\n") == 2 and b"-$Id: old $\r\n+$Id: changed $\r\n" in patch


async def test_what_was_there_before_is_in_the_patch_when_it_changes_whatever_ignores_it(world: World) -> None:
    there = ("a.log", "b.log", "same.log", "node_modules/m/index.js")
    script = "for each in a.log c.log node_modules/m/index.js node_modules/m/new.js; do echo 2 > $each; done; rm b.log"
    named, patch = await _changed(world, {".gitignore": "*.log\n", **dict.fromkeys(there, "1\n")}, script)
    assert named == ["a.log", "b.log", "node_modules/m/index.js"]
    assert b"deleted file" in patch


async def test_a_name_that_no_patch_can_have_means_no_patch_and_a_warning_that_says_so(world: World) -> None:
    steps = [{"type": "checkout"}, {"run": "echo x > evil.py; mkdir .GIT && echo x > .GIT/config"}]
    task = await world.run({"steps": steps}, workspace={"files": {"a": "1"}})
    assert task.failure is None and "workspace.diff" not in task.files
    assert any(".GIT/config" in line for line in task.logs("warning"))


@pytest.mark.parametrize("document", [{"steps": []}, {"jobs": {"a": {"steps": [{"uses": "actions/checkout@v4"}]}}}])
async def test_a_workspace_that_is_too_large_to_be_kept_is_a_warning_and_no_failure(
    world: World, document: dict[str, Any]
) -> None:
    steps = document["steps"] if "steps" in document else document["jobs"]["a"]["steps"]
    steps.append({"run": "head -c 80000000 /dev/zero > large; echo done"})
    task = await world.run(document, workspace={"files": {"a": "b"}})
    assert task.failure is None and task.out == ["done"] and task.files == {}
    assert [line for line in task.logs("warning") if "workspace" in line and "67,108,864 bytes" in line]


async def test_a_network_is_refused_where_the_operator_allows_none(world: World) -> None:
    with pytest.raises(UnsupportedError, match="HOLDFAST_ALLOW_NETWORK"):
        await world.run({"steps": [{"run": "echo"}]}, network=True)


async def test_steps_stop_at_the_first_failure_and_the_task_has_failed(world: World) -> None:
    task = await world.run({"steps": [{"run": "exit 3"}, {"run": "echo never"}, {"run": "echo x", "if": "failure()"}]})
    assert [state for _, state in task.steps] == ["failure", "skipped", "success"]
    assert task.failure is not None and "exit code 3" in task.failure.message
    assert task.out == ["x"]
