"""The cell that parses, when it does not do as it should."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.data.policy import SqlPolicy
from holdfast.engines import Command, Exited, Output, SandboxSpec
from holdfast.errors import EngineError
from holdfast.types import Approved, Denial, Usage
from tests.policy.world import SHOP

pytestmark = pytest.mark.anyio
USAGE = Usage(
    wall_seconds=0,
    cpu_user_seconds=0,
    cpu_system_seconds=0,
    memory_peak_bytes=None,
    processes_peak=None,
    out_of_memory=False,
)
EMPTY: dict[str, Any] = {"type": "SELECT_NODE", "cte_map": {}, "select_list": [], "from_table": {"type": "EMPTY"}}
NONSENSE: list[Any] = [
    {},
    {"parsed": None},
    {"parsed": []},
    {"parsed": {}},
    {"parsed": {"error": False}},
    {"parsed": {"error": True}},
    {"parsed": {"error": False, "statements": [1]}},
    {"parsed": {"error": False, "statements": [{}]}},
    {"parsed": {"error": False, "statements": [{"node": None}]}},
    {"parsed": {"error": False, "statements": [{"node": {"type": "BASE_TABLE"}}]}},
    {"parsed": {"error": False, "statements": [{"node": {"type": "SELECT_NODE", "cte_map": []}}]}},
    {
        "parsed": {
            "error": False,
            "statements": [{"node": EMPTY | {"where_clause": {"class": "FUNCTION", "type": "FUNCTION"}}}],
        }
    },
    {"too_large": True},
    {"failed": "out of memory"},
]


class Impostor:
    """A sandbox, and the process in it, that answers every question with the same."""

    id = "impostor"

    def __init__(self, answer: Mapping[str, Any] | bytes | None, most: int = 1_000) -> None:
        self._answer = answer
        self._most = most
        self._said: list[bytes] = [b'{"id": 0}\n']

    async def create(self, spec: SandboxSpec) -> "Impostor":
        return Impostor(self._answer)

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator["Impostor"]:
        yield self

    async def aclose(self) -> None:
        pass

    async def send(self, data: bytes) -> None:
        self._most -= 1
        if self._most < 0:
            return
        if isinstance(self._answer, Mapping):
            self._said.append(json.dumps({"id": json.loads(data)["id"], **self._answer}).encode() + b"\n")
        elif self._answer is not None:
            self._said.append(self._answer)

    async def __aiter__(self) -> AsyncIterator[Output | Exited]:
        yield Output("stderr", b"noise")
        while self._said:
            yield Output("frames", self._said.pop(0))
        yield Exited(exit_code=1, signal=None, reason=None, usage=USAGE, disk_full=False)


class Mortal(Impostor):
    """Its processes answer once, and are gone when they are asked again."""

    def __init__(self) -> None:
        super().__init__({"parsed": {"error": False, "statements": [{"node": EMPTY}]}})
        self.made = 0

    async def create(self, spec: SandboxSpec) -> Impostor:
        self.made += 1
        return Impostor(self._answer, most=1)


class Broken:
    """An engine that makes nothing."""

    async def create(self, spec: SandboxSpec) -> Any:
        raise EngineError("There is no launcher.")


async def said_of(engine: Any) -> Approved | Denial:
    async with SqlPolicy(engine).open() as policy:
        return await policy.check("SELECT 1", SHOP)


@pytest.mark.parametrize("answer", [*NONSENSE, b"not JSON\n", b'{"id": 999, "parsed": {}}\n', None], ids=str)
async def test_nonsense_is_no_approval(answer: Any) -> None:
    assert isinstance(await said_of(Impostor(answer)), Denial)


async def test_a_statement_is_asked_again_when_the_cell_was_found_dead() -> None:
    engine = Mortal()
    async with SqlPolicy(engine).open() as policy:  # type: ignore[arg-type]
        for _ in range(5):
            assert isinstance(await policy.check("SELECT 1", SHOP), Approved)
    assert engine.made == 5


async def test_without_a_cell_nothing_is_approved() -> None:
    with pytest.raises(EngineError):
        await said_of(Broken())


async def test_an_error_inside_comes_out_as_it_was() -> None:
    with pytest.raises(KeyError):
        async with SqlPolicy(Impostor(None)).open():  # type: ignore[arg-type]
            raise KeyError("mine")
