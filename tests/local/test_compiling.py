"""Compile and run are two phases, and the first is needed once."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.execution import Executor, on_behalf_of
from holdfast.settings import load_settings
from holdfast.types import CompiledEvent, ExitedEvent, RunRequest, RunResult, StartedEvent, Status
from tests.conftest import local_app, needs_language

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

GO = 'package main\nimport "fmt"\nfunc main() {{ fmt.Println("{}") }}'
RUST = 'fn main() {{ println!("{}"); }}'
SOURCES = {"go": GO, "rust": RUST}
LANGUAGES = list(SOURCES)


@pytest.fixture
async def executor(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Executor]:
    """With a cache of its own, and the toolchains of this host."""
    usual = load_settings()
    places = {"guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with local_app(pool_size=0, state_dir=tmp_path, **places) as app:
        yield app.executor


async def run(executor: Executor, language: str, **fields: Any) -> RunResult:
    needs_language(executor.runtimes, language)
    return await executor.run(RunRequest(image=language, **fields))


def said(result: RunResult) -> tuple[str, bool | None]:
    return result.stdout, result.compile.cached if result.compile else None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_second_run_of_a_program_skips_the_compiler(executor: Executor, language: str) -> None:
    code = SOURCES[language].format("same")
    first = await run(executor, language, code=code)
    second = await run(executor, language, code=code, args=["other"], environment={"OTHER": "1"}, stdin="other")
    assert (said(first), said(second)) == (("same\n", False), ("same\n", True))
    assert first.phase == second.phase == "run"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_other_sources_are_another_program(executor: Executor, language: str) -> None:
    code = SOURCES[language].format("one")
    assert said(await run(executor, language, code=code)) == ("one\n", False)
    assert said(await run(executor, language, code=code.replace("one", "two"))) == ("two\n", False)
    assert said(await run(executor, language, code=code, files={"data.txt": "x"})) == ("one\n", False)


@pytest.mark.parametrize(("language", "word"), [("go", "undefined: nothing"), ("rust", "must be a string literal")])
async def test_a_program_that_does_not_compile_never_runs(executor: Executor, language: str, word: str) -> None:
    code = SOURCES[language].format("x").replace('"x"', "nothing")
    for _ in range(2):
        result = await run(executor, language, code=code)
        assert (result.status, result.phase, result.exit_code) == (Status.COMPILE_FAILED, "compile", 1)
        assert result.compile is not None
        assert word in result.compile.stderr == result.stderr
        assert not result.compile.cached


async def test_a_compiler_that_takes_too_long_is_ended(executor: Executor, tmp_path: Path) -> None:
    needs_language(executor.runtimes, "go")
    usual = load_settings()
    places = {"guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with local_app(pool_size=0, state_dir=tmp_path / "2", compile_timeout=0.02, **places) as app:
        result = await app.executor.run(RunRequest(image="go", code=GO.format("x")))
    assert (result.status, result.exit_code, result.phase) == (Status.TIMED_OUT, 124, "compile")
    assert result.limits.wall_seconds == 0.02


async def test_the_limits_of_the_run_do_not_bind_the_compiler(executor: Executor) -> None:
    result = await run(executor, "go", code=GO.format("small"), mem_limit="32m", timeout=5, processes=16)
    assert said(result) == ("small\n", False)
    assert result.limits.memory_bytes == 32 << 20


async def test_a_damaged_entry_is_dropped_and_compiled_again(executor: Executor, tmp_path: Path) -> None:
    code = GO.format("whole")
    await run(executor, "go", code=code)
    (entry,) = (tmp_path / "programs").iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert said(await run(executor, "go", code=code)) == ("whole\n", False)
    assert said(await run(executor, "go", code=code)) == ("whole\n", True)


async def test_two_at_once_compile_once(executor: Executor) -> None:
    needs_language(executor.runtimes, "rust")
    results: list[RunResult] = []

    async def go() -> None:
        results.append(await run(executor, "rust", code=RUST.format("shared")))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(go)
    assert sorted(said(result) for result in results) == [("shared\n", False), ("shared\n", True), ("shared\n", True)]


async def test_equal_programs_that_fail_at_once_are_compiled_once(executor: Executor) -> None:
    needs_language(executor.runtimes, "rust")
    results: list[RunResult] = []

    async def go() -> None:
        results.append(await run(executor, "rust", code="fn main() { nothing() }"))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(go)
    # The account of one compiler, to the last digit.
    assert len({(result.execution_time, result.usage) for result in results}) == 1
    assert len({result.run_id for result in results}) == 4
    assert {result.status for result in results} == {Status.COMPILE_FAILED}


async def test_what_one_key_has_compiled_is_no_hint_to_another(executor: Executor) -> None:
    needs_language(executor.runtimes, "go")
    cached = []
    for owner in ("alice", "bob", "alice", "bob"):
        with on_behalf_of(owner, owner):
            cached.append(said(await run(executor, "go", code=GO.format("theirs"))))
    assert cached == [("theirs\n", False), ("theirs\n", False), ("theirs\n", True), ("theirs\n", True)]


async def test_a_client_that_leaves_while_compiling_leaves_nothing_and_the_next_one_compiles(
    executor: Executor,
) -> None:
    needs_language(executor.runtimes, "go")
    code = GO.format("left")
    with anyio.move_on_after(0.05):
        await executor.run(RunRequest(image="go", code=code))
    assert executor.admission.running == 0
    assert said(await run(executor, "go", code=code)) == ("left\n", False)


async def test_events_tell_of_the_compiler_before_the_program_starts(executor: Executor) -> None:
    needs_language(executor.runtimes, "go")
    async with aclosing(executor.stream(RunRequest(image="go", code=GO.format("told")))) as stream:
        events = [event async for event in stream]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    compiled, started, _, last = events
    assert isinstance(compiled, CompiledEvent)
    assert isinstance(started, StartedEvent)
    assert isinstance(last, ExitedEvent)
    assert last.result.compile == compiled.compile
    assert compiled.run_id == started.run_id == last.result.run_id


async def test_events_of_a_failed_compile_end_with_the_result(executor: Executor) -> None:
    needs_language(executor.runtimes, "go")
    async with aclosing(executor.stream(RunRequest(image="go", code="nothing"))) as stream:
        compiled, last = [event async for event in stream]
    assert isinstance(compiled, CompiledEvent)
    assert isinstance(last, ExitedEvent)
    assert (compiled.seq, last.seq, last.result.run_id) == (1, 2, compiled.run_id)
    assert last.result.timings.queue_ms >= 0


async def test_a_program_cannot_change_what_another_one_gets(executor: Executor, tmp_path: Path) -> None:
    """It owns its sandbox, writes over its own copy and over every place where the cache could be."""
    honest = GO.format("honest")
    await run(executor, "go", code=honest)
    vandal = """package main
import ("fmt"; "os"; "path/filepath")
func main() {
    self, _ := os.Executable()
    os.Remove(self); os.WriteFile(self, []byte("evil"), 0o755)
    filepath.Walk("/opt/holdfast", func(path string, info os.FileInfo, err error) error {
        if err == nil && os.WriteFile(path, []byte("evil"), 0o755) == nil { fmt.Println("wrote", path) }
        return nil
    })
    _, err := os.Stat("%s"); fmt.Println(os.IsNotExist(err))
}""" % (tmp_path / "programs")
    assert said(await run(executor, "go", code=vandal)) == ("true\n", False)
    assert said(await run(executor, "go", code=vandal)) == ("true\n", True)
    assert said(await run(executor, "go", code=honest)) == ("honest\n", True)


async def test_a_build_script_runs_in_the_sandbox_of_the_compiler_only(executor: Executor) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n',
        "build.rs": 'fn main() { std::fs::write("/workspace/mark", "x").unwrap();'
        ' assert!(std::fs::write("/opt/holdfast/languages/rust/x", "x").is_err());'
        ' assert!(std::net::TcpStream::connect("192.0.2.1:80").is_err()); }',
        "src/main.rs": 'fn main() { println!("{}", std::path::Path::new("/workspace/mark").exists()); }',
    }
    assert said(await run(executor, "rust", files=files)) == ("false\n", False)
