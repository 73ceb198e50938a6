"""The tools of agents do what their parameters say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.agents.masking import Masker
from holdfast.agents.tools import TOOLS, ToolContext, ToolError, enabled, use
from holdfast.agents.workplace import Workplace, open_workplace, tar_of
from holdfast.execution import Executor
from holdfast.types import AGENT_TOOLS

pytestmark = pytest.mark.anyio

FILES = {
    "a.txt": b"one\ntwo\nthree\n",
    "src/main.py": b"import os\nprint('-o', os.name)\n",
    "src/.hidden": b"secret\n",
    "bin": b"\0one",
}


@pytest.fixture(scope="module")
async def place(executor: Executor) -> AsyncIterator[Workplace]:
    async with open_workplace(executor) as opened:
        await opened.unpack(tar_of(FILES))
        yield opened


async def call(place: Workplace, name: str, **arguments: Any) -> str:
    return await use(TOOLS.values(), name, arguments, ToolContext(place))


async def refused(place: Workplace, name: str, **arguments: Any) -> str:
    with pytest.raises(ToolError) as raised:
        await call(place, name, **arguments)
    return str(raised.value)


def test_the_rows_are_the_tools_a_task_can_name() -> None:
    assert tuple(TOOLS) == AGENT_TOOLS
    assert all(
        tool.schema["type"] == "object" and tool.schema["additionalProperties"] is False for tool in TOOLS.values()
    )


async def test_every_default_works(place: Workplace) -> None:
    assert await call(place, "list_files") == "a.txt\nbin\nsrc/"
    assert "src/main.py:1:import os" in await call(place, "grep", pattern="import")
    assert "STDOUT:\n/workspace\n" in await call(place, "shell", command="pwd")


async def test_read_file_gives_lines_and_says_what_is_wrong(place: Workplace) -> None:
    assert await call(place, "read_file", path="a.txt") == "one\ntwo\nthree\n"
    assert await call(place, "read_file", path="/workspace/a.txt", start_line=2, end_line=2) == "two\n"
    assert "has only 3 lines" in await refused(place, "read_file", path="a.txt", start_line=9)
    assert "start_line" in await refused(place, "read_file", path="a.txt", start_line=0)
    assert "not before the first" in await refused(place, "read_file", path="a.txt", start_line=3, end_line=1)
    assert "there is no such file" in await refused(place, "read_file", path="absent")
    assert "it is a directory" in await refused(place, "read_file", path="src")


async def test_read_file_cuts_what_is_long(place: Workplace) -> None:
    await call(place, "shell", command="head -c 300000 /dev/zero | tr '\\0' x > long; truncate -s 300M sparse")
    answer = await call(place, "read_file", path="long")
    assert 100_000 <= len(answer) < 101_000 and "cut at 100,000 characters" in answer
    assert "cut at" in await call(place, "read_file", path="sparse")
    await call(place, "shell", command="rm long sparse")


async def test_write_file_makes_directories_appends_and_counts_bytes(place: Workplace) -> None:
    assert await call(place, "write_file", path="new/dir/f", content="é") == "Wrote 2 bytes to 'new/dir/f'"
    await call(place, "write_file", path="new/dir/f", content="!", append=True)
    assert await call(place, "read_file", path="new/dir/f") == "é!"
    await call(place, "shell", command="chmod 755 new/dir/f")
    await call(place, "write_file", path="new/dir/f", content="x" * 200_000)
    assert "200000 new/dir/f" in await call(place, "shell", command="test -x new/dir/f && wc -c new/dir/f; rm -r new")


async def test_write_file_of_a_wrong_type_changes_nothing(place: Workplace) -> None:
    assert "content" in await refused(place, "write_file", path="a.txt", content=5)
    assert await call(place, "read_file", path="a.txt") == "one\ntwo\nthree\n"
    assert "directory" in await refused(place, "write_file", path="src", content="x")


async def test_write_file_to_a_full_disk_leaves_what_was_there(place: Workplace) -> None:
    await call(place, "shell", command="head -c 600000000 /dev/zero > filler; true")
    assert "full" in (await refused(place, "write_file", path="a.txt", content="x" * 4_000_000)).lower()
    await call(place, "shell", command="rm filler")
    assert await call(place, "read_file", path="a.txt") == "one\ntwo\nthree\n"


async def test_list_files_has_patterns_hidden_files_and_a_limit(place: Workplace) -> None:
    assert await call(place, "list_files", path="src") == "src/main.py"
    assert await call(place, "list_files", path="src", include_hidden=True) == "src/.hidden\nsrc/main.py"
    assert await call(place, "list_files", path="**/*.py") == "src/main.py"
    assert await call(place, "list_files", recursive=True, max_results=2) == "a.txt\nbin\n... 2 more"
    assert "there is no such file" in await refused(place, "list_files", path="absent")


async def test_grep_finds_lines_and_an_invalid_pattern_is_an_error(place: Workplace) -> None:
    assert await call(place, "grep", pattern="-o") == "src/main.py:2:print('-o', os.name)"
    assert await call(place, "grep", pattern="ONE", ignore_case=True) == "a.txt:1:one"
    assert (
        await call(place, "grep", pattern="o", include="*.py", max_results=1)
        == "src/main.py:1:import os\n... stopped at 1 results"
    )
    assert await call(place, "grep", pattern="absent") == "(no line matches)"
    assert "no regular expression" in await refused(place, "grep", pattern="(")


async def test_shell_tells_streams_and_exit_code(place: Workplace) -> None:
    answer = await call(place, "shell", command="echo out; echo err >&2; exit 7", working_directory="src")
    assert answer == "STDOUT:\nout\n\nSTDERR:\nerr\n\nEXIT CODE: 7"
    assert "no such working_directory" in await refused(place, "shell", command="ls", working_directory="absent")


async def test_shell_bounds_output_and_time(place: Workplace) -> None:
    answer = await call(place, "shell", command="head -c 500000 /dev/zero | tr '\\0' x")
    assert len(answer) < 51_000 and "cut at 50,000 bytes" in answer
    assert "EXIT CODE: 124" in await call(place, "shell", command="sleep 100", timeout=1)
    assert "timeout" in await refused(place, "shell", command="ls", timeout=100_000)


async def test_what_a_call_leaves_running_ends_with_it(place: Workplace) -> None:
    await call(place, "shell", command="(setsid sleep 300 &) ; nohup sleep 300 > /dev/null 2>&1 &")
    assert "STDOUT:\n0\n" in await call(place, "shell", command="ps aux | grep -c '[s]leep 300' || true")


async def test_run_code_runs_beside_the_files(place: Workplace) -> None:
    await call(place, "write_file", path="helper.py", content="value = 41")
    assert "42" in await call(place, "run_code", code="import helper; print(helper.value + 1)")
    assert "shell 3" in await call(place, "run_code", code="echo shell $((1 + 2))", language="bash")
    assert "ZeroDivisionError" in await call(place, "run_code", code="1/0")
    await call(place, "shell", command="rm -r helper.py __pycache__")


async def test_query_dataset_is_answered_by_who_was_given(place: Workplace) -> None:
    async def query(dataset: str, sql: str) -> str:
        return f"{dataset}: {sql}"

    context = ToolContext(place, query=query)
    arguments = {"dataset_id": "shop", "sql": "SELECT 1"}
    assert await use(TOOLS.values(), "query_dataset", arguments, context) == "shop: SELECT 1"
    assert "no access to datasets" in await refused(place, "query_dataset", **arguments)


async def test_a_tool_that_is_not_enabled_is_neither_offered_nor_used(place: Workplace) -> None:
    tools = enabled(["grep", "read_file", "nonsense"])
    assert [tool.name for tool in tools] == ["read_file", "grep"]
    with pytest.raises(ToolError, match="There is no tool 'shell' here; there are read_file, grep"):
        await use(tools, "shell", {"command": "ls"}, ToolContext(place))


async def test_arguments_that_are_wrong_are_told_to_who_wrote_them(place: Workplace) -> None:
    assert "path: Field required" in await refused(place, "read_file")
    assert "more: Extra inputs" in await refused(place, "grep", pattern="x", more=1)
    assert "max_results" in await refused(place, "list_files", max_results=True)


async def test_what_a_tool_answers_is_masked(place: Workplace) -> None:
    context = ToolContext(place, masked=Masker(["three"]).mask)
    assert await use(TOOLS.values(), "read_file", {"path": "a.txt"}, context) == "one\ntwo\n***\n"
    with pytest.raises(ToolError, match=r"\*\*\*"):
        await use(TOOLS.values(), "read_file", {"path": "three"}, context)
