"""Limits as a caller sees them: requests through the executor, on the real engine."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.app import open_app
from holdfast.engines.host.cgroup import CgroupTree
from holdfast.engines.local import LocalConfig
from holdfast.execution import Executor
from holdfast.languages import DATA_PROFILE
from holdfast.settings import load_settings
from holdfast.types import RunRequest, Status
from tests.conftest import lacks

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[0, 4], ids=["made on demand", "from stock"])
async def executor(request: pytest.FixtureRequest, config: LocalConfig) -> AsyncIterator[Executor]:
    async with open_app(load_settings({"pool_size": request.param})) as app:
        yield app.executor


def needs(executor: Executor, limit: str) -> None:
    if limit not in executor.engine.capabilities.limits or executor.engine.capabilities.cgroup == "none":
        lacks("local", f"this host cannot enforce {limit} for a whole run")


async def test_too_much_memory_is_a_result(executor: Executor) -> None:
    needs(executor, "memory_bytes")
    result = await executor.run(RunRequest(code="print(1, flush=True); x = bytearray(200 << 20)", mem_limit="64m"))
    assert (result.status, result.exit_code, result.stdout) == (Status.OUT_OF_MEMORY, 137, "1\n")
    assert result.usage.out_of_memory
    assert result.limits.memory_bytes == 64 << 20


async def test_too_much_memory_in_a_child_of_a_shell_is_a_result(executor: Executor) -> None:
    needs(executor, "memory_bytes")
    hog = "python -c 'x = bytearray(200 << 20)'"
    result = await executor.run(RunRequest(entrypoint=f"{hog}; exit $?", mem_limit="64m"))
    assert (result.status, result.exit_code) == (Status.OUT_OF_MEMORY, 137)


async def test_a_signal_is_a_result(executor: Executor) -> None:
    result = await executor.run(RunRequest(code="import os; os.kill(os.getpid(), 11)"))
    assert (result.status, result.exit_code) == (Status.SIGNALED, 139)


async def test_too_much_time_is_a_result_with_what_was_printed(executor: Executor) -> None:
    result = await executor.run(RunRequest(code="print('early', flush=True)\nwhile True: pass", timeout=0.3))
    assert (result.status, result.exit_code, result.stdout) == (Status.TIMED_OUT, 124, "early\n")


async def test_too_much_processor_time_of_all_children_is_a_result(executor: Executor) -> None:
    code = "import os\nos.fork()\nwhile True: pass"
    result = await executor.run(RunRequest(code=code, cpu_seconds=0.4, timeout=20))
    assert (result.status, result.exit_code) == (Status.TIMED_OUT, 124)
    assert result.usage.wall_seconds < 10


async def test_a_full_disk_is_a_result(executor: Executor) -> None:
    code = "open('big', 'wb').write(b'x' * (8 << 20))"
    result = await executor.run(RunRequest(code=code, disk_limit="4m", mem_limit="64m"))
    assert result.status is Status.DISK_LIMIT


async def test_processes_and_open_files_are_held(executor: Executor) -> None:
    needs(executor, "processes")
    code = "import subprocess\nfor _ in range(20): subprocess.Popen(['sleep', '5'])"
    many = await executor.run(RunRequest(code=code, processes=8))
    files = await executor.run(RunRequest(code="x = [open('/dev/null') for _ in range(64)]", open_files=32))
    assert "BlockingIOError" in many.stderr
    assert "Too many open files" in files.stderr


async def test_half_a_processor_is_half_a_processor(executor: Executor) -> None:
    needs(executor, "cpus")
    code = "import time\nend = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass"
    result = await executor.run(RunRequest(code=code, cpus=0.5))
    assert result.usage.cpu_user_seconds + result.usage.cpu_system_seconds < 0.9


async def test_what_was_lowered_for_one_run_is_normal_for_the_next(executor: Executor) -> None:
    needs(executor, "memory_bytes")
    tight = await executor.run(RunRequest(code="print(1)", mem_limit="32m", processes=4, open_files=32, cpus=0.2))
    wide = await executor.run(RunRequest(code="x = bytearray(100 << 20); print(len(x))"))
    assert (tight.stdout, wide.stdout) == ("1\n", f"{100 << 20}\n")


async def test_without_control_groups_what_was_loaded_in_advance_is_not_the_programs(
    config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.engines.host.cgroup.prepare", lambda parent: CgroupTree("none"))
    table = "import pandas, numpy; frame = pandas.DataFrame({'a': numpy.arange(1_000_000)}); print(frame.a.sum())"
    hoard = "import pandas\nkept = []\nfor _ in range(40): kept.append(bytearray(10 << 20))"
    async with open_app(load_settings({"pool_size": 4, "accept_rlimits": True})) as app:
        engine = app.executor.engine
        assert engine.capabilities.cgroup == "none"
        with anyio.fail_after(60):
            while not engine._engine._launchers.is_up(DATA_PROFILE):  # type: ignore[attr-defined]  # noqa: ASYNC110
                await anyio.sleep(0.1)
        for _ in range(3):
            result = await app.executor.run(RunRequest(code=table, mem_limit="128m"))
            assert result.stdout == "499999500000\n", result.stderr
            greedy = await app.executor.run(RunRequest(code=hoard, mem_limit="128m"))
            assert (greedy.status, "MemoryError" in greedy.stderr) == (Status.FAILED, True), greedy
