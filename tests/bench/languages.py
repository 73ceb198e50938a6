"""Hello world in every language over HTTP: warm against the bare process, and compiled once against compiled first."""

import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.languages import LANGUAGES
from holdfast.settings import load_settings
from tests.bench.server import CLEAN_PATH, Client, Server

ROUNDS, WARM_UP = 20, 3
PAUSE_SECONDS = 0.1
MEASURED = ("node", "deno", "bun", "go", "rust")

SCRIPT = 'console.log("hello")'
SOURCES: Mapping[str, str] = {
    "go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") } // %s',
    "rust": 'fn main() { println!("hello"); } // %s',
}


@dataclass(frozen=True, slots=True)
class Hello:
    """Medians in milliseconds: of our run, and of what it is compared with."""

    language: str
    ours: float
    peer_name: str
    peer: float

    @property
    def ratio(self) -> float:
        return self.ours / self.peer


def hello_worlds(server: Server) -> list[Hello]:
    """One of each kind in turn, so that both see the same machine. Languages this host lacks are left out."""
    client = Client(server.port)
    ready = [name for name in MEASURED if _is_there(client, name)]
    found = [_compiled(client, name) if name in SOURCES else _interpreted(client, name) for name in ready]
    if shutil.which("node", path=CLEAN_PATH):
        found.append(_interpreted(client, "node", shutil.which("node", path=CLEAN_PATH)))
    client.close()
    return found


def _is_there(client: Client, name: str) -> bool:
    return client.run({"image": name, "code": SOURCES.get(name, SCRIPT)}).status == 200


def _interpreted(client: Client, name: str, other: str | None = None) -> Hello:
    """Beside the same binary as a bare process, or beside another."""
    language, root = LANGUAGES[name], load_settings().toolchains
    program = other or str(root / name / language.tools[name])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, language.main_file).write_text(SCRIPT)
        ours, bare = _alternating(
            lambda: _ask(client, {"image": name, "code": SCRIPT}),
            lambda: _spawn([program, *language.run[1:]], folder),
        )
    return Hello(name, ours, f"the bare process of {other}" if other else "the bare process", bare)


def _compiled(client: Client, name: str) -> Hello:
    bodies: list[Mapping[str, str]] = []

    def first() -> float:
        bodies.append({"image": name, "code": SOURCES[name] % secrets.token_hex(8)})
        return _ask(client, bodies[-1])

    compiled, ours = _alternating(first, lambda: _ask(client, bodies[-1]))
    return Hello(name, ours, "its own first run", compiled)


def _alternating(*kinds: Callable[[], float]) -> Sequence[float]:
    samples = [[kind() for kind in kinds] for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    return [statistics.median(values) for values in zip(*samples, strict=True)]


def _ask(client: Client, body: Mapping[str, str]) -> float:
    time.sleep(PAUSE_SECONDS)
    answer = client.run(body)
    if answer.status != 200 or answer.body["stdout"] != "hello\n":
        raise SystemExit(f"The run failed: {answer}")
    return answer.milliseconds


def _spawn(command: Sequence[str], folder: str) -> float:
    time.sleep(PAUSE_SECONDS)
    environment = {"PATH": CLEAN_PATH, "HOME": folder, "DENO_NO_UPDATE_CHECK": "1"}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, check=True, stdin=subprocess.DEVNULL
    )
    milliseconds = (time.perf_counter() - began) * 1000
    if done.stdout != b"hello\n":
        raise SystemExit(f"{command} printed {os.fsdecode(done.stdout)}")
    return milliseconds
