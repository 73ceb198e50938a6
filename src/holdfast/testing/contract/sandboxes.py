"""Promises about sandboxes: their files, what they hand back, and that nothing of them remains."""

import secrets
from collections.abc import Awaitable
from contextlib import suppress

import anyio

from holdfast.engines import Command, Engine, Exited, Output, Process
from holdfast.errors import EngineError, HoldfastError, InvalidFileNameError, NotFoundError, RequestError, TooLargeError
from holdfast.testing.attacks.arena import LIMITS
from holdfast.testing.attacks.canaries import end_processes_with, processes_with
from holdfast.testing.contract.case import Check, command, require, run, run_in, sandbox

MiB = 1 << 20
BAD_NAMES = ("../up", "a/../../up", "/etc/absolute", "nul\0byte", "", "..")
DEATH_SECONDS = 10.0
"""What is looked for would live a minute; how soon it is gone is not measured here."""

POLL_SECONDS = 0.05

CHILD = """
import os, subprocess, sys
argv = [sys.executable or "python3", "-c", "import time; time.sleep(60)", {token!r}]
subprocess.Popen(argv, start_new_session={apart})
print("started", flush=True)
{then}
"""


def _parent(token: str, then: str = "", *, apart: bool = False) -> Command:
    return command(CHILD.format(token=token, then=then, apart=apart))


async def _require_gone(token: str) -> None:
    end = anyio.current_time() + DEATH_SECONDS
    while left := processes_with(token):
        require(anyio.current_time() < end, left)
        await anyio.sleep(POLL_SECONDS)


async def _until_started(process: Process, scope: anyio.CancelScope) -> None:
    async for event in process:
        if not isinstance(event, Exited) and b"started" in event.data:
            scope.cancel()


async def _raised(deed: Awaitable[object], expected: type[HoldfastError]) -> None:
    try:
        await deed
    except expected:
        return
    require(False, f"no {expected.__name__}")


async def files_are_placed_with_their_directories(engine: Engine) -> None:
    data = bytes(range(256))
    heard = await run(
        engine, command("print(open('a/b/c.bin', 'rb').read() == bytes(range(256)))", files={"a/b/c.bin": data})
    )
    require(heard.stdout == b"True\n", heard.stderr)


async def files_have_names_with_spaces_and_letters(engine: Engine) -> None:
    files = {"two words.txt": b"1", "äöü/€.txt": b"2", ".hidden": b"3", "-dash": b"4"}
    code = "import os; print(sorted(os.path.relpath(os.path.join(at, n)) for at, _, ns in os.walk('.') for n in ns))"
    heard = await run(engine, command(code, files=files))
    require(heard.stdout.decode().strip() == str(sorted([*files, "main.py"])), heard.stdout)


async def files_belong_to_the_program(engine: Engine) -> None:
    code = "import os; open('a/f', 'a').write('2'); os.rename('a/f', 'g'); os.rmdir('a'); print(open('g').read())"
    heard = await run(engine, command(code, files={"a/f": b"1"}))
    require(heard.stdout == b"12\n", heard.stderr)


async def artifacts_are_chosen_by_pattern(engine: Engine) -> None:
    code = "for name in ('a.png', 'b.png', 'c.txt'): open(name, 'w').write(name)"
    artifacts = (await run(engine, command(code, artifacts=("*.png",)))).exited.artifacts
    require(dict(artifacts) == {"a.png": b"a.png", "b.png": b"b.png"}, artifacts)


async def artifacts_are_found_in_every_depth(engine: Engine) -> None:
    names = ("out/1", "out/x/2", "out/x/y/3", "4")
    code = f"import os; os.makedirs('out/x/y')\nfor name in {names}: open(name, 'w').close()"
    artifacts = (await run(engine, command(code, artifacts=("out/**",)))).exited.artifacts
    require(sorted(artifacts) == ["out/1", "out/x/2", "out/x/y/3"], sorted(artifacts))


async def artifacts_keep_every_byte(engine: Engine) -> None:
    code = "open('all', 'wb').write(bytes(range(256)) * 4096); open('empty', 'w').close()"
    artifacts = (await run(engine, command(code, artifacts=("all", "empty")))).exited.artifacts
    require(
        dict(artifacts) == {"all": bytes(range(256)) * 4096, "empty": b""}, {k: len(v) for k, v in artifacts.items()}
    )


async def artifacts_of_a_failed_program_are_returned(engine: Engine) -> None:
    heard = await run(engine, command("open('a', 'w').write('x'); raise SystemExit(2)", artifacts=("a",)))
    require((heard.exited.exit_code, dict(heard.exited.artifacts)) == (2, {"a": b"x"}), heard.exited)


async def artifacts_of_a_program_that_took_too_long_are_returned(engine: Engine) -> None:
    code = "import time; open('a', 'w').write('x'); time.sleep(60)"
    heard = await run(engine, command(code, artifacts=("a",), wall_seconds=0.8))
    require((heard.exited.reason, dict(heard.exited.artifacts)) == ("wall", {"a": b"x"}), heard.exited)


async def a_pattern_that_matches_nothing_returns_nothing(engine: Engine) -> None:
    heard = await run(engine, command("pass", artifacts=("no-such-*", "nor/this")))
    require((heard.exited.exit_code, dict(heard.exited.artifacts)) == (0, {}), heard.exited)


async def an_artifact_that_is_too_large_is_noted(engine: Engine) -> None:
    what = command("open('big.bin', 'wb').write(bytes(5000))", artifacts=("*.bin",), artifact_bytes=1000)
    exited = (await run(engine, what)).exited
    require(any("big.bin" in note for note in exited.notes), exited.notes)
    require(sum(map(len, exited.artifacts.values())) <= 1000)


async def an_artifact_that_is_too_large_is_left_out(engine: Engine) -> None:
    what = command("open('big.bin', 'wb').write(bytes(5000))", artifacts=("*.bin",), artifact_bytes=1000)
    exited = (await run(engine, what)).exited
    require("big.bin" not in exited.artifacts, sorted(exited.artifacts))


async def a_link_is_not_an_artifact(engine: Engine) -> None:
    heard = await run(engine, command("import os; os.symlink('main.py', 'link')", artifacts=("link",)))
    require(not heard.exited.artifacts, heard.exited.artifacts)


async def what_is_written_can_be_read(engine: Engine) -> None:
    data = secrets.token_bytes(MiB)
    async with sandbox(engine) as box:
        await box.write("deep/er/file.bin", b"first")
        await box.write("deep/er/file.bin", data)
        require(await box.read("deep/er/file.bin", max_bytes=MiB) == data)


async def the_program_and_the_caller_see_the_same_files(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.write("from-outside", b"in")
        heard = await run_in(box, command("print(open('from-outside').read()); open('from-inside', 'w').write('out')"))
        require(heard.stdout == b"in\n", heard.stderr)
        require(await box.read("from-inside", max_bytes=100) == b"out")


async def reading_a_file_that_is_not_there_says_so(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await _raised(box.read("missing", max_bytes=10), NotFoundError)


async def reading_a_directory_is_refused(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.write("folder/file", b"x")
        await _raised(box.read("folder", max_bytes=10), RequestError)


async def reading_a_file_that_is_too_large_says_so(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.write("file", bytes(11))
        require(await box.read("file", max_bytes=11) == bytes(11))
        await _raised(box.read("file", max_bytes=10), TooLargeError)


async def names_outside_the_workspace_are_refused(engine: Engine) -> None:
    async with sandbox(engine) as box:
        for name in BAD_NAMES:
            await _raised(box.write(name, b"x"), InvalidFileNameError)
            await _raised(box.read(name, max_bytes=10), InvalidFileNameError)


async def input_files_outside_the_workspace_are_refused(engine: Engine) -> None:
    for name in BAD_NAMES:
        async with sandbox(engine) as box:
            try:
                await run_in(box, command("print('ran')", files={name: b"x"}))
            except InvalidFileNameError:
                continue
            require(False, f"{name!r} was accepted")


async def two_sandboxes_do_not_see_each_other(engine: Engine) -> None:
    name = f"mine-{secrets.token_hex(8)}"
    places = [f"../*/{name}", f"/workspace/{name}", f"/proc/*/cwd/{name}"]
    look = f"import glob; print([found for place in {places} for found in glob.glob(place)])"
    async with sandbox(engine) as one, sandbox(engine) as two:
        await one.write(name, b"x")
        require((await run_in(two, command(look))).stdout == b"[]\n")


async def sandboxes_run_at_the_same_time(engine: Engine) -> None:
    heard: dict[int, bytes] = {}

    async def one(number: int) -> None:
        heard[number] = (await run(engine, command(f"import time; time.sleep(0.2); print({number})"))).stdout

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(one, number)
    require(heard == {number: f"{number}\n".encode() for number in range(4)}, heard)


async def sandboxes_have_different_ids(engine: Engine) -> None:
    async with sandbox(engine) as one, sandbox(engine) as two, sandbox(engine) as three:
        require(len({one.id, two.id, three.id}) == 3, (one.id, two.id, three.id))


async def a_sandbox_says_what_holds_it(engine: Engine) -> None:
    async with sandbox(engine) as box:
        require(box.isolation.engine == engine.capabilities.engine, box.isolation)
        require((box.isolation.seccomp == "filter") == ("seccomp" in engine.capabilities.layers), box.isolation)


async def closing_a_sandbox_twice_is_harmless(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.aclose()
        await box.aclose()


async def a_background_process_ends_before_the_verdict(engine: Engine) -> None:
    token = secrets.token_hex(8)
    async with sandbox(engine) as box:
        require((await run_in(box, _parent(token))).exited.exit_code == 0)
        await _require_gone(token)


async def a_background_process_of_another_session_ends_before_the_verdict(engine: Engine) -> None:
    token = secrets.token_hex(8)
    try:
        async with sandbox(engine) as box:
            require((await run_in(box, _parent(token, apart=True))).exited.exit_code == 0)
            await _require_gone(token)
    finally:
        end_processes_with(token)


async def leaving_early_ends_the_whole_tree(engine: Engine) -> None:
    token = secrets.token_hex(8)
    async with sandbox(engine) as box:
        async with box.exec(_parent(token, "import time; time.sleep(60)")) as process:
            async for _ in process:
                break
        await _require_gone(token)


async def closing_a_sandbox_ends_what_runs_in_it(engine: Engine) -> None:
    token = secrets.token_hex(8)
    async with sandbox(engine) as box, box.exec(_parent(token, "import time; time.sleep(60)")) as process:
        with suppress(EngineError):
            async for event in process:
                if isinstance(event, Output):
                    await box.aclose()
        await _require_gone(token)


async def cancelling_the_caller_leaves_nothing(engine: Engine) -> None:
    token = secrets.token_hex(8)
    with anyio.CancelScope() as scope:
        async with sandbox(engine) as box, box.exec(_parent(token, "import time; time.sleep(60)")) as process:
            await _until_started(process, scope)
    require(scope.cancelled_caught)
    await _require_gone(token)


async def files_are_handed_back_by_their_names(engine: Engine) -> None:
    names = ("one", "empty", "with space", "ünï", ".holdfast/kept", "sub/six")
    code = f"""
import os
os.makedirs(".holdfast", exist_ok=True)
os.makedirs("sub")
for name in {names!r}:
    open(name, "wb").write(b"" if name == "empty" else name.encode() * 3000)
"""
    wanted = dict.fromkeys((*names, "never-made"), 1 << 20)
    exited = (await run(engine, command(code, returns=wanted))).exited
    left = {name: b"" if name == "empty" else name.encode() * 3000 for name in names}
    require(dict(exited.returned) == left, {name: len(data) for name, data in exited.returned.items()})
    require((dict(exited.artifacts), exited.notes) == ({}, ()), exited.notes)


async def a_file_is_handed_back_up_to_its_size(engine: Engine) -> None:
    code = "open('fits', 'wb').write(bytes(5000)); open('larger', 'wb').write(bytes(5001))"
    exited = (await run(engine, command(code, returns={"fits": 5000, "larger": 5000}))).exited
    require(dict(exited.returned) == {"fits": bytes(5000)}, sorted(exited.returned))
    require([note for note in exited.notes if "larger" in note] == [*exited.notes] != [], exited.notes)


async def a_file_is_handed_back_by_a_program_that_used_its_memory(engine: Engine) -> None:
    code = f"x = bytearray({LIMITS.memory_bytes - (24 << 20)}); open('a', 'w').write('here')"
    exited = (await run(engine, command(code, returns={"a": 10}))).exited
    require((exited.exit_code, dict(exited.returned)) == (0, {"a": b"here"}), exited)


async def too_much_time_ends_the_whole_tree(engine: Engine) -> None:
    token = secrets.token_hex(8)
    async with sandbox(engine) as box:
        what = command(CHILD.format(token=token, then="import time; time.sleep(60)", apart=False), wall_seconds=0.8)
        require((await run_in(box, what)).exited.reason == "wall")
        await _require_gone(token)


PROMISES: tuple[Check, ...] = (
    files_are_placed_with_their_directories,
    files_have_names_with_spaces_and_letters,
    files_belong_to_the_program,
    artifacts_are_chosen_by_pattern,
    artifacts_are_found_in_every_depth,
    artifacts_keep_every_byte,
    artifacts_of_a_failed_program_are_returned,
    artifacts_of_a_program_that_took_too_long_are_returned,
    a_pattern_that_matches_nothing_returns_nothing,
    an_artifact_that_is_too_large_is_noted,
    an_artifact_that_is_too_large_is_left_out,
    files_are_handed_back_by_their_names,
    a_file_is_handed_back_up_to_its_size,
    a_file_is_handed_back_by_a_program_that_used_its_memory,
    a_link_is_not_an_artifact,
    what_is_written_can_be_read,
    the_program_and_the_caller_see_the_same_files,
    reading_a_file_that_is_not_there_says_so,
    reading_a_directory_is_refused,
    reading_a_file_that_is_too_large_says_so,
    names_outside_the_workspace_are_refused,
    input_files_outside_the_workspace_are_refused,
    two_sandboxes_do_not_see_each_other,
    sandboxes_run_at_the_same_time,
    sandboxes_have_different_ids,
    a_sandbox_says_what_holds_it,
    closing_a_sandbox_twice_is_harmless,
    a_background_process_ends_before_the_verdict,
    a_background_process_of_another_session_ends_before_the_verdict,
    leaving_early_ends_the_whole_tree,
    closing_a_sandbox_ends_what_runs_in_it,
    cancelling_the_caller_leaves_nothing,
    too_much_time_ends_the_whole_tree,
)
