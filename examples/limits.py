"""Run into each wall of the sandbox and say what it answers: holdfast run examples/limits.py"""

import os
import socket
import time
from collections.abc import Callable


def fill_the_disk() -> str:
    with open("filler", "wb") as file:
        for _ in range(100_000):
            file.write(bytes(1 << 20))
    return "100 GB were written"


def start_many_processes() -> str:
    children = []
    try:
        for _ in range(10_000):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return "10,000 processes were started"


def reach_the_network() -> str:
    with socket.create_connection(("192.0.2.1", 80), timeout=2):
        return "a connection was made"


def write_to_the_system() -> str:
    with open("/usr/bin/mine", "w"):
        return "a file was written in /usr/bin"


def read_the_secrets() -> str:
    with open("/etc/shadow") as file:
        return f"the password hashes were read: {len(file.read())} bytes"


def become_root() -> str:
    os.setuid(0)
    return "now root"


def attempt(action: Callable[[], str]) -> str:
    try:
        return action()
    except OSError as error:
        return f"refused: {error.strerror or error}"


for action in (
    write_to_the_system,
    read_the_secrets,
    become_root,
    reach_the_network,
    start_many_processes,
    fill_the_disk,
):
    print(f"{action.__name__.replace('_', ' '):22} {attempt(action)}", flush=True)
