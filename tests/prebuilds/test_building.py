"""What a setup script makes is there for runs, the same for all, and never half."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from holdfast.app import open_prebuilds
from holdfast.errors import (
    BuildFailedError,
    ForbiddenError,
    HoldfastError,
    InvalidFieldError,
    NotFoundError,
    OverCeilingError,
    TooLargeError,
    UnknownLanguageError,
    UnsupportedError,
)
from holdfast.types import OPERATOR, Caller, PrebuildRequest, RunRequest, Status
from tests.conftest import needs_language
from tests.prebuilds.conftest import Workshop
from tests.prebuilds.wheels import wheel

pytestmark = pytest.mark.anyio

PIP = "pip install --no-index --find-links /workspace"
PATIENCE_SECONDS = 30.0


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # it is told to nobody
            await anyio.sleep(0.02)


@pytest.mark.parametrize("environment", [{}, {"TZ": "UTC"}], ids=["warm", "cold"])
async def test_what_pip_installs_can_be_imported_and_started(workshop: Workshop, environment: dict[str, str]) -> None:
    name, content = wheel("tinypkg", "1.0", "value = 42\ndef main(): print('a command')\n", command="tiny")
    await workshop.build("with-tiny", f"{PIP} tinypkg", files={name: content})
    code = "import tinypkg, subprocess\nprint(tinypkg.value)\nsubprocess.run(['tiny'], check=True)\n"
    code += "import sys; subprocess.run([sys.executable, '-c', 'import tinypkg; print(tinypkg.__file__)'], check=True)"
    for image in ("with-tiny", "prebuilt-with-tiny"):
        result = await workshop.run(
            code.replace("print(tinypkg.value)", "print(tinypkg.value, flush=True)"), image, environment=environment
        )
        assert result.stdout.splitlines()[:2] == ["42", "a command"], result.stderr
        assert result.stdout.splitlines()[2].startswith("/opt/holdfast/layer/lib/python3")


async def test_warm_and_cold_programs_search_the_same_places(workshop: Workshop) -> None:
    await workshop.build("plain", "true")
    code = "import sys, os; print(sys.path, sys.prefix, os.environ['PATH'], sys.flags)"
    code += "\nfor name in sorted(sys.modules): print(name)"
    warm = await workshop.run(code, "plain")
    cold = await workshop.run(code, "plain", environment={"TZ": "UTC"})
    assert warm.stdout.splitlines() == cold.stdout.splitlines()
    assert "/opt/holdfast/layer/lib/python3" in warm.stdout


async def test_a_package_of_the_layer_wins_over_one_that_is_loaded_in_advance(
    workshop_with: Callable[..., Any],
) -> None:
    workshop = await workshop_with(pool_size=4)
    name, content = wheel("numpy", "0.1", "__version__ = '0.1 of the layer'\n")
    await workshop.build("old-numpy", f"{PIP} numpy==0.1", files={name: content})
    launchers = workshop.app.executor.engine._engine._launchers
    layer = open_prebuilds(workshop.app.settings).records()[0].layer
    for _ in range(2):
        result = await workshop.run("import numpy; print(numpy.__version__)", "old-numpy")
        assert result.stdout == "0.1 of the layer\n", result.stderr
        await until(lambda: launchers.is_up("data", layer))
    result = await workshop.run("import numpy; print(numpy.__version__)", "python")
    assert result.stdout != "0.1 of the layer\n"


async def test_other_languages_find_what_was_installed_for_them(workshop: Workshop) -> None:
    needs_language(workshop.app.executor.runtimes, "node")
    script = "mkdir -p node_modules/seven && echo 'module.exports = 7' > node_modules/seven/index.js"
    await workshop.build("seven", script, base_image="node")
    assert (await workshop.run("console.log(require('seven'))", "seven")).stdout == "7\n"
    module = {"main.mjs": "import seven from 'seven'; console.log(seven)"}
    assert (await workshop.run("", "seven", files=module)).stdout == "7\n"


async def test_a_compiled_program_has_the_layer_while_it_is_compiled_and_while_it_runs(workshop: Workshop) -> None:
    needs_language(workshop.app.executor.runtimes, "go")
    await workshop.build(
        "gopher", "printf '#!/bin/sh\\necho from the layer' > bin/hi; chmod 755 bin/hi", base_image="go"
    )
    code = 'package main\nimport ("fmt"; "os/exec")\n'
    code += 'func main() { out, _ := exec.Command("hi").Output(); fmt.Print(string(out)) }'
    assert (await workshop.run(code, "gopher")).stdout == "from the layer\n"
    assert (await workshop.run(code, "go")).stdout == ""


async def test_a_run_reads_the_layer_and_cannot_change_it(workshop: Workshop) -> None:
    await workshop.build("data", 'echo treasure > "$LAYER/data.txt"; echo here > relative.txt', base_image="bash")
    script = "cat /opt/holdfast/layer/data.txt /opt/holdfast/layer/relative.txt\n"
    script += (
        "cd /opt/holdfast/layer; echo x > data.txt; rm data.txt; mkdir new; chmod 777 data.txt; mount -o remount,rw ."
    )
    result = await workshop.run(script, "data")
    assert result.stdout == "treasure\nhere\n"
    assert result.status is Status.FAILED and result.stderr.count("Read-only file system") >= 3
    assert (await workshop.run("cat /opt/holdfast/layer/data.txt", "data")).stdout == "treasure\n"


async def test_a_layer_is_seen_by_its_own_runs_only(workshop: Workshop) -> None:
    await workshop.build("mine", "echo secret > file", base_image="bash")
    await workshop.build(
        "other", "ls -A /opt/holdfast/layer; cat /opt/holdfast/layer/file || echo nothing > file", base_image="bash"
    )
    assert (await workshop.run("cat /opt/holdfast/layer/file", "other")).stdout == "nothing\n"
    assert (await workshop.run("ls -A /opt/holdfast/layer", "bash")).stdout == ""


async def test_a_failed_build_leaves_nothing_and_the_old_one_stays(workshop: Workshop) -> None:
    await workshop.build("kept", "echo one > file", base_image="bash")
    before = workshop.found()
    with pytest.raises(BuildFailedError, match="exit code 7; its last line: said at the end") as failure:
        await workshop.build("kept", "echo two > file; echo said at the end; exit 7", base_image="bash")
    assert failure.value.log == "said at the end\n"
    with pytest.raises(BuildFailedError):
        await workshop.build("never", "false; echo a failed command ends the script")
    assert workshop.found() == before
    assert (await workshop.run("cat /opt/holdfast/layer/file", "kept")).stdout == "one\n"
    assert [prebuild.tag for prebuild in workshop.app.prebuilds.list(OPERATOR).prebuilds] == ["prebuilt-kept"]


@pytest.mark.parametrize("name", ["apt-get install -y gcc", "sudo make", "apk add gcc"])
async def test_what_needs_root_fails_with_a_sentence_that_says_what_to_do(workshop: Workshop, name: str) -> None:
    with pytest.raises(BuildFailedError, match=r"needs root.*install with pip or npm"):
        await workshop.build("rooted", name)


async def test_a_build_without_network_says_how_the_operator_gives_it_one(workshop: Workshop) -> None:
    with pytest.raises(BuildFailedError, match="HOLDFAST_PREBUILD_NETWORK=on"):
        await workshop.build("online", "pip install something-from-an-index")
    with pytest.raises(UnsupportedError, match="HOLDFAST_PREBUILD_NETWORK=on"):
        await workshop.build("online", "true", allow_network=True)


async def test_the_log_is_streamed_while_the_script_runs(workshop: Workshop) -> None:
    request = PrebuildRequest(tag="told", setup_script="echo one; sleep 0.2; echo two >&2")
    events = [event async for event in workshop.app.prebuilds.stream(request, OPERATOR)]
    assert [event.type for event in events] == ["started", "output", "output", "built"]
    assert [event.seq for event in events] == sorted({event.seq for event in events})


async def test_building_a_tag_again_replaces_it_at_once_and_running_programs_keep_the_old(workshop: Workshop) -> None:
    await workshop.build("twice", "echo old > file", base_image="bash")
    [old] = workshop.found()
    results = {}

    async def run_long() -> None:
        results["long"] = await workshop.run("sleep 2; cat /opt/holdfast/layer/file", "twice")

    async with anyio.create_task_group() as group:
        group.start_soon(run_long)
        await until(lambda: workshop.app.executor.admission.running == 1)
        await workshop.build("twice", "echo new > file", base_image="bash")
        assert (await workshop.run("cat /opt/holdfast/layer/file", "twice")).stdout == "new\n"
        assert old in workshop.found()
    assert results["long"].stdout == "old\n"
    await until(lambda: old not in workshop.found())


async def test_deleting_waits_until_no_run_uses_the_files(workshop: Workshop) -> None:
    await workshop.build("leaving", "echo still here > file", base_image="bash")
    [layer] = workshop.found()
    results = {}

    async def run_long() -> None:
        results["long"] = await workshop.run("sleep 2; cat /opt/holdfast/layer/file", "leaving")

    async with anyio.create_task_group() as group:
        group.start_soon(run_long)
        await until(lambda: workshop.app.executor.admission.running == 1)
        assert (await workshop.app.prebuilds.delete("leaving", OPERATOR)).tag == "prebuilt-leaving"
        with pytest.raises(UnknownLanguageError):
            await workshop.run("true", "leaving")
        await anyio.sleep(0.2)
        assert workshop.found() == [layer]
    assert results["long"].stdout == "still here\n"
    await until(lambda: workshop.found() == [])


async def test_a_layer_in_stock_is_no_use_and_does_not_keep_it(workshop_with: Callable[..., Any]) -> None:
    workshop = await workshop_with(pool_size=4)
    await workshop.build("stocked", "echo x > file", base_image="bash")
    await workshop.run("true", "stocked")
    await anyio.sleep(0.5)
    await workshop.app.prebuilds.delete("stocked", OPERATOR)
    await until(lambda: workshop.found() == [])


async def test_one_builder_of_a_tag_at_a_time_also_across_processes(workshop: Workshop) -> None:
    lock = open_prebuilds(workshop.app.settings).try_lock("busy")
    assert lock is not None
    done = anyio.Event()

    async def build() -> None:
        await workshop.build("busy", "true")
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(build)
        await anyio.sleep(0.5)
        assert not done.is_set() and workshop.found() == []
        os.close(lock)
    assert done.is_set()


async def test_number_and_total_size_are_bounded(workshop_with: Callable[..., Any]) -> None:
    workshop = await workshop_with(prebuild_count=2, prebuild_total="1m")
    await workshop.build("one", "head -c 600000 /dev/zero > file")
    with pytest.raises(BuildFailedError, match="larger than"):
        await workshop.build("two", "head -c 600000 /dev/zero > file")
    await workshop.build("two", "true")
    await workshop.build("two", "echo the same tag again")
    with pytest.raises(OverCeilingError, match="HOLDFAST_PREBUILD_COUNT"):
        await workshop.build("three", "true")


async def test_what_was_not_used_for_long_is_removed(workshop: Workshop) -> None:
    await workshop.build("unused", "true")
    with pytest.raises(InvalidFieldError):
        await workshop.app.prebuilds.clean_up(-1, OPERATOR)
    assert (await workshop.app.prebuilds.clean_up(1, OPERATOR)).count == 0
    assert (await workshop.app.prebuilds.clean_up(0, OPERATOR)).removed == ("prebuilt-unused",)
    await until(lambda: workshop.found() == [])


async def test_the_server_cleans_up_by_itself_under_the_earlier_names_of_the_settings(
    workshop_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEANUP_INTERVAL_HOURS", str(0.5 / 3600))
    monkeypatch.setenv("CLEANUP_MAX_AGE_DAYS", str(1 / 86400))
    workshop = await workshop_with()
    await workshop.build("brief", "true", base_image="bash")
    await until(lambda: not workshop.app.prebuilds.list(OPERATOR).prebuilds)
    await until(lambda: not workshop.found())


async def test_a_run_counts_as_use(workshop: Workshop) -> None:
    made = await workshop.build("used", "true")
    await anyio.sleep(1.1)
    await workshop.run("print(1)", "used")
    seen = workshop.app.prebuilds.get("used", OPERATOR)
    assert seen.last_used > made.last_used
    assert open_prebuilds(workshop.app.settings).unused(timedelta(seconds=1)) == []


async def test_a_prebuild_spec_is_built_once_and_used_again(workshop: Workshop) -> None:
    spec = {"base_image": "bash", "setup_script": "date +%N > stamp"}
    first = await workshop.run("cat /opt/holdfast/layer/stamp", "bash", prebuild_spec=spec)
    again = await workshop.run("cat /opt/holdfast/layer/stamp", "bash", prebuild_spec=spec)
    named = await workshop.run("cat /opt/holdfast/layer/stamp", "a-name", prebuild_spec=spec)
    assert first.stdout == again.stdout != named.stdout
    tags = [prebuild.tag for prebuild in workshop.app.prebuilds.list(OPERATOR).prebuilds]
    assert tags[0] == "prebuilt-a-name" and tags[1].startswith("prebuilt-spec-") and len(tags) == 2
    with pytest.raises(InvalidFieldError, match="base image"):
        await workshop.run("print(1)", "python", prebuild_spec=spec)
    with pytest.raises(InvalidFieldError, match="'python' is the name of a language"):
        await workshop.run("print(1)", "prebuilt-python", prebuild_spec={**spec, "base_image": "python"})


async def test_who_may_not_build_may_not_build_by_a_run_either(workshop: Workshop) -> None:
    request = RunRequest.model_validate({"code": "1", "prebuild_spec": {"setup_script": "true"}})
    with pytest.raises(ForbiddenError):
        async with workshop.app.prebuilds.using(request, Caller("somebody", sees_all=False)):
            pass


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"tag": "Upper"}, InvalidFieldError),
        ({"tag": "..."}, InvalidFieldError),
        ({"tag": "a/b"}, InvalidFieldError),
        ({"tag": "x" * 65}, InvalidFieldError),
        ({"tag": "ümlaut"}, InvalidFieldError),
        ({"tag": ""}, InvalidFieldError),
        ({"tag": "python"}, InvalidFieldError),
        ({"tag": "code-runner-node"}, InvalidFieldError),
        ({"base_image": "cobol"}, UnknownLanguageError),
        ({"base_image": "python\nRUN evil"}, UnknownLanguageError),
        ({"setup_script": "x" * 65_537}, TooLargeError),
        ({"setup_script": "a\0b"}, InvalidFieldError),
        ({"files": {"../x": "y"}}, HoldfastError),
        ({"files": {".holdfast/setup.sh": "y"}}, HoldfastError),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_before_anything_is_built(
    workshop: Workshop, given: dict[str, Any], error: type[HoldfastError]
) -> None:
    with pytest.raises(error):
        await workshop.app.prebuilds.build(
            PrebuildRequest(**{"tag": "fine", "setup_script": "true", **given}), OPERATOR
        )
    assert workshop.found() == []


async def test_what_is_gone_is_not_found(workshop: Workshop) -> None:
    with pytest.raises(NotFoundError):
        workshop.app.prebuilds.get("absent", OPERATOR)
    with pytest.raises(NotFoundError):
        await workshop.app.prebuilds.delete("absent", OPERATOR)
    await workshop.build("vanished", "true")
    await run_sync(open_prebuilds(workshop.app.settings).remove, "vanished")
    with pytest.raises(UnknownLanguageError):
        await workshop.run("print(1)", "vanished")
