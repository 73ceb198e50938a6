"""`docker run` as a peer, where its daemon answers and a local image has Python. Nothing is pulled."""

import shutil
import subprocess

from holdfast.testing.bench.server import CLEAN_PATH
from holdfast.testing.bench.spawning import ENVIRONMENT, Program

FLAGS = ("run", "--rm", "--network", "none", "--read-only", "--memory", "256m", "--pids-limit", "64")
ASK_SECONDS = 20
MOST_IMAGES = 5


def docker_program(command: tuple[str, ...], stdout: str) -> Program | str:
    """The program in a container of a local image, or why there is none."""
    docker = shutil.which("docker", path=CLEAN_PATH)
    if docker is None:
        return "it is not installed"
    try:
        listed = subprocess.run(
            [docker, "images", "--format", "{{.Repository}}:{{.Tag}}"],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its daemon did not answer within {ASK_SECONDS} s"
    if listed.returncode:
        return "its daemon does not answer"
    images = [image for image in listed.stdout.split() if "<none>" not in image]
    for image in images[:MOST_IMAGES]:
        program = Program((docker, *FLAGS, image, *command), stdout)
        if program.works():
            return program
    return "no local image has a python3 (nothing is pulled)"
