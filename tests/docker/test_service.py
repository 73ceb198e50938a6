"""The service in a container, as deploy/compose.yaml and the commands of the systems before it start it."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdfast.engines.docker.config import STATE_LABEL
from tests.conftest import lacks
from tests.dockerd import PLACE, Dockerd

# Longer than usual: the first test builds the image.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy/compose.yaml"
BASE = "holdfast-base:python"
KEY = secrets.token_hex(16)
ANSWER_SECONDS = 120
PAUSE_SECONDS = 0.2

QUARTERMASTER = """
services:
  code-runner:
    build: .
    ports:
      - "8000:8000"
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
    environment:
      - LOG_LEVEL=info
      - DEFAULT_TIMEOUT=30
      - DEFAULT_MEMORY=256m
"""
"""What its README says to put into a file."""

PYQUEST = ["--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m", "--memory=256m", "--cpus=0.5", "--network=none"]
"""What its README says to run it with."""

ASK = """
import json, sys, urllib.request
body = {"code": 'print("Hello")', "tests": [{"type": "output", "expected": "Hello", "description": "Test"}]}
headers = {"Content-Type": "application/json", "X-API-Key": sys.argv[1]}
request = urllib.request.Request("http://127.0.0.1:8080/run", json.dumps(body).encode(), headers)
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""


@pytest.fixture(scope="module")
def daemon() -> Dockerd:
    """The one of the tests: nobody else's images are to be replaced by ours."""
    found = Dockerd(PLACE)
    if not found.answers():
        lacks("docker", "there is no Docker daemon of the tests; run: make dockerd")
    if shutil.which("docker-compose") is None:
        lacks("service", "docker-compose is not installed; run: sudo apt install docker-compose")
    if not any((ROOT / "deploy/wheels").glob("*.whl")):
        lacks("service", "the packages of the service's image are not here; run: make wheels")
    return found


class Project:
    """One project of Compose on the daemon of the tests, that is taken down with all it has made."""

    def __init__(self, daemon: Dockerd, files: Sequence[Path]) -> None:
        self.daemon = daemon
        self.name = f"holdfast-test-{os.getpid()}-{secrets.token_hex(4)}"
        self.port = _free_port()
        self._files = [word for file in files for word in ("--file", str(file))]

    def run(self, *words: str, without: Sequence[str] = ()) -> str:
        """A command of Compose; what it prints. Raises CalledProcessError."""
        given = os.environ | {
            "DOCKER_HOST": f"unix://{self.daemon.socket}",
            "HOLDFAST_DOCKER_SOCKET": str(self.daemon.socket),
            "DOCKER_GID": str(self.daemon.socket.stat().st_gid),
            "HOLDFAST_API_KEYS": KEY,
            "HOLDFAST_BASE": BASE,
            "HOLDFAST_PORT": str(self.port),
        }
        environment = {name: value for name, value in given.items() if name not in without}
        command = ["docker-compose", "--compatibility", "--project-name", self.name, "--project-directory"]
        done = subprocess.run(
            [*command, str(COMPOSE.parent), *self._files, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        return done.stdout

    @property
    def container(self) -> dict[str, Any]:
        """What the daemon says of the service."""
        (name,) = self.run("ps", "--all", "--quiet").split()
        (about,) = json.loads(self.daemon.docker("inspect", name))
        assert isinstance(about, dict)
        return about

    def post(self, body: Mapping[str, Any], key: str = KEY) -> httpx.Response:
        """A request to run something, from the outside."""
        headers = {"X-API-Key": key} if key else {}
        return httpx.post(f"http://127.0.0.1:{self.port}/run", json=body, headers=headers, timeout=ANSWER_SECONDS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_until_it_answers(port: int) -> None:
    transport = httpx.HTTPTransport(retries=0)
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(ANSWER_SECONDS * 5):
            try:
                if client.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(PAUSE_SECONDS)
    pytest.fail("the service in the container does not answer")


@contextmanager
def up(daemon: Dockerd, *files: Path) -> Iterator[Project]:
    """A project that answers."""
    project = Project(daemon, files)
    try:
        project.run("up", "--detach", "--build")
        _wait_until_it_answers(project.port)
        yield project
    finally:
        project.run("down", "--volumes", "--rmi", "local", "--timeout", "20")


@pytest.fixture(scope="module")
def composed(daemon: Dockerd) -> Iterator[Project]:
    with up(daemon, COMPOSE) as project:
        yield project


def test_the_service_in_a_container_runs_programs_in_containers_beside_it(composed: Project) -> None:
    answer = composed.post({"code": "import pandas; print(6 * 7)"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["stdout"] == "42\n"
    assert answer.json()["isolation"]["engine"] == "docker"
    assert composed.post({"code": "print(1)"}, key="").status_code == 401


def test_the_service_is_held_with_what_the_file_says(composed: Project) -> None:
    about = composed.container
    host = about["HostConfig"]
    assert about["Config"]["User"] == "1000:1000"
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Tmpfs"] == {"/tmp": "rw,noexec,nosuid,size=64m"}
    assert (host["Memory"], host["NanoCpus"], host["MemoryReservation"]) == (256 << 20, 500_000_000, 128 << 20)
    look = "import os; print(os.getuid(), [p for p in ('/', '/opt', '/state', '/tmp') if os.access(p, os.W_OK)])"
    assert composed.run("exec", "-T", "holdfast", "python3", "-c", look) == "1000 ['/state', '/tmp']\n"


def test_no_key_is_a_sentence_and_no_service(composed: Project) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        composed.run("config", without=["HOLDFAST_API_KEYS"])
    assert "set a key that clients send" in refused.value.stderr
    with pytest.raises(subprocess.CalledProcessError) as refused:
        composed.daemon.docker("run", "--rm", "--network", "none", "holdfast:latest")
    assert b"holdfast keys add" in refused.value.stderr


def test_a_service_that_is_stopped_leaves_no_container_of_a_program(daemon: Dockerd, composed: Project) -> None:
    assert composed.post({"code": "print(1)"}).json()["stdout"] == "1\n"
    look = "import os; at = '/state/docker/id'; print(open(at).read(), os.stat(at).st_ino, sep='-')"
    state = composed.run("exec", "-T", "holdfast", "python3", "-c", look).strip()
    of_the_service = ["ps", "--all", "--quiet", "--filter", f"label={STATE_LABEL}={state}"]
    assert daemon.docker(*of_the_service) != ""
    composed.run("stop", "--timeout", "25")
    assert composed.container["State"]["ExitCode"] == 0
    assert daemon.docker(*of_the_service) == ""
    composed.run("start")
    _wait_until_it_answers(composed.port)
    assert composed.post({"code": "print(2)"}).json()["stdout"] == "2\n"


def test_the_compose_file_of_quartermasters_readme_starts_the_service(daemon: Dockerd, tmp_path: Path) -> None:
    """With three more lines: where this daemon is, who may talk to it, and a key."""
    described = yaml.safe_load(QUARTERMASTER)
    given = tmp_path / "seed.yaml"
    given.write_text(
        QUARTERMASTER.replace("build: .", "build: ..").replace('"8000:8000"', '"127.0.0.1:${HOLDFAST_PORT}:8000"')
    )
    added = tmp_path / "added.yaml"
    added.write_text(
        yaml.safe_dump(
            {
                "services": {
                    "code-runner": {
                        "build": {"args": {"BASE": BASE}},
                        "environment": [f"CODE_RUNNER_API_KEYS={KEY}"],
                        "group_add": [str(daemon.socket.stat().st_gid)],
                        "volumes": [f"{daemon.socket}:/var/run/docker.sock"],
                    }
                }
            }
        )
    )
    assert described["services"].keys() == {"code-runner"}
    with up(daemon, given, added) as project:
        answer = project.post({"code": "print(sum(range(1, 101)))", "image": "python"}).json()
    assert (answer["stdout"], answer["exit_code"]) == ("5050\n", 0)
    assert (answer["limits"]["wall_seconds"], answer["limits"]["memory_bytes"]) == (30, 256 << 20)


def test_the_command_of_pyquests_readme_starts_the_service(daemon: Dockerd, composed: Project) -> None:
    """Without a network nobody outside reaches it, as before; so it is asked from the inside."""
    name = f"{composed.name}-pyquest"
    socket_at = "/var/run/docker.sock"
    more = ["--env", f"HOLDFAST_API_KEYS={KEY}", "--env", "PORT=8080", "--volume", f"{daemon.socket}:{socket_at}"]
    group = ["--group-add", str(daemon.socket.stat().st_gid)]
    daemon.docker("run", "--detach", "--name", name, "-p", "8080:8080", *PYQUEST, *more, *group, "holdfast:latest")
    try:
        answer = json.loads(_asked_inside(daemon, name))
    finally:
        daemon.docker("stop", "--time", "20", name)
        daemon.docker("rm", "--force", "--volumes", name)
    assert answer["success"] and answer["allPassed"] and answer["stdout"] == "Hello\n"


def _asked_inside(daemon: Dockerd, name: str) -> str:
    for _ in range(ANSWER_SECONDS * 2):
        try:
            return daemon.docker("exec", name, "python3", "-c", ASK, KEY)
        except subprocess.CalledProcessError as error:
            assert b"refused" in error.stderr, error.stderr
            time.sleep(PAUSE_SECONDS)
    pytest.fail("the service in the container does not answer")
