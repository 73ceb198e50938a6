"""Escapes by making the engine do the deed: links where it writes and reads, artifacts that are not what they seem."""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

from holdfast.errors import EngineError, RequestError
from holdfast.testing.attacks.arena import Arena, Cage
from holdfast.testing.attacks.model import Aim, Attack, Outcome, Ran, Truth, contained, escaped, judge, program

SPARSE_BYTES = 1 << 40
MANY = 10_000
DEPTH = 3_000
LINK = "os.symlink({target}, 'link')\nrefused('UNSEEN')"

MakeTheEngine = Callable[[Arena, Cage], Awaitable[bytes]]


def _secret_came_back(arena: Arena, ran: Ran) -> str | None:
    leaked = [name for name, data in ran.exited.artifacts.items() if arena.secret.encode() in data]
    return f"the artifact {leaked[0]!r} holds a secret of the host" if leaked else None


def _came_back(*names: str) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        there = [name for name in names if name in ran.exited.artifacts]
        return f"{there[0]!r} came back as an artifact" if there else None

    return truth


def _artifact(name: str, code: str, pattern: str, truth: Truth = _secret_came_back) -> Attack:
    body = "\n".join("    " + line for line in code.strip().splitlines())
    whole = f"with attempt():\n{body}\n    refused('UNSEEN')"
    return program(name, Aim.ESCAPE, whole, truth=truth, artifacts=(pattern,))


def _pattern(name: str, pattern: Callable[[Arena], str]) -> Attack:
    async def deed(arena: Arena) -> Outcome:
        ran = await arena.run("refused('UNSEEN')", artifacts=(pattern(arena),))
        return judge(arena, ran, _secret_came_back)

    return Attack(name, Aim.ESCAPE, deed)


def _named(name: str, code: str, path: str) -> Attack:
    """What the engine takes by name, as it takes the metadata of a program."""
    most = len("hf-secret-") + 64

    def truth(arena: Arena, ran: Ran) -> str | None:
        leaked = arena.secret.encode() in ran.exited.returned.get(path, b"")
        return f"{path!r} came back with a secret of the host" if leaked else None

    whole = f"with attempt():\n    {code}\n    refused('UNSEEN')"
    return program(name, Aim.ESCAPE, whole, truth=truth, returns={path: most})


def _too_many(arena: Arena, ran: Ran) -> str | None:
    count = len(ran.exited.artifacts)
    return f"{count} artifacts came back" if count >= MANY else None


def _unprintable(arena: Arena, ran: Ran) -> str | None:
    for name in ran.exited.artifacts:
        try:
            name.encode()
        except UnicodeEncodeError:
            return f"the artifact name {name!r} cannot be sent as JSON"
    return None


def _through_a_link(name: str, target: str, act: MakeTheEngine) -> Attack:
    """A first run plants the link; then the engine is asked to work on it."""

    async def deed(arena: Arena) -> Outcome:
        async with arena.sandbox() as cage:
            judge(arena, await cage.run(LINK.format(target=target)))
            before = _state(arena)
            answer = b""
            with suppress(EngineError, RequestError):
                answer = await act(arena, cage)
        if arena.secret.encode() in answer:
            return escaped("the engine handed out a secret of the host")
        if _state(arena) != before:
            return escaped("the engine changed files of the host")
        return contained("the engine did not follow the link")

    return Attack(name, Aim.ESCAPE, deed)


def _state(arena: Arena) -> list[tuple[object, ...]]:
    """What could change about the files of the host: names, owners, modes, contents."""
    paths = (arena.private, arena.public, *sorted(arena.marker_dir.iterdir()), arena.marker_dir)
    found = [(path, os.stat(path)) for path in paths]
    return [(str(path), at.st_uid, at.st_gid, at.st_mode, at.st_mtime_ns, at.st_size) for path, at in found]


async def _write_link(arena: Arena, cage: Cage) -> bytes:
    await cage.sandbox.write("link", b"x")
    return b""


async def _write_under_link(arena: Arena, cage: Cage) -> bytes:
    await cage.sandbox.write("link/mark", b"x")
    return b""


async def _read_link(arena: Arena, cage: Cage) -> bytes:
    return await cage.sandbox.read("link", max_bytes=1000)


async def _read_under_link(arena: Arena, cage: Cage) -> bytes:
    return await cage.sandbox.read(f"link/{arena.private.name}", max_bytes=1000)


async def _place_on_link(arena: Arena, cage: Cage) -> bytes:
    await cage.run("refused('UNSEEN')", files={"link": b"x"})
    return b""


async def _place_under_link(arena: Arena, cage: Cage) -> bytes:
    await cage.run("refused('UNSEEN')", files={"link/mark": b"x"})
    return b""


# One round makes links of all the files, the next makes files of all the links.
SWAP = """
names = [f"r{number}.txt" for number in range(100)]
for name in names:
    open(name, "w").write("harmless")
if os.fork() == 0:
    os.setsid()
    for stream in (0, 1, 2):
        os.close(stream)
    while True:
        for name in names:
            os.symlink(A.private, "s")
            os.replace("s", name)
        for name in names:
            open("s", "w").write("harmless")
            os.replace("s", name)
for _ in range(100):
    time.sleep(0.01)
    if os.path.islink(names[-1]):
        break
"""

ATTACKS = (
    _through_a_link("has_the_engine_write_through_a_link", "A.marker_dir + '/mark'", _write_link),
    _through_a_link("has_the_engine_write_under_a_linked_directory", "A.marker_dir", _write_under_link),
    _through_a_link("has_the_engine_change_a_private_file_through_a_link", "A.private", _write_link),
    _through_a_link("has_the_engine_read_through_a_link", "A.private", _read_link),
    _through_a_link("has_the_engine_read_under_a_linked_directory", "os.path.dirname(A.private)", _read_under_link),
    _through_a_link("has_the_engine_place_a_file_over_a_link", "A.marker_dir + '/mark'", _place_on_link),
    _through_a_link("has_the_engine_place_a_file_under_a_link", "A.marker_dir", _place_under_link),
    _through_a_link("has_the_engine_replace_a_private_file", "A.private", _place_on_link),
    _artifact("returns_a_linked_host_file", "os.symlink(A.private, 'a.txt')", "a.txt"),
    _artifact(
        "returns_a_host_file_through_a_chain_of_links", "os.symlink(A.private, 'b')\nos.symlink('b', 'a.txt')", "*.txt"
    ),
    _artifact("returns_a_file_below_a_linked_directory", "os.symlink(os.path.dirname(A.private), 'a')", "a/*"),
    _artifact(
        "returns_a_file_below_a_nested_linked_directory",
        "os.mkdir('d')\nos.symlink(os.path.dirname(A.private), 'd/a')",
        "d/**",
    ),
    _artifact("returns_a_hard_linked_host_file", "os.link(A.public, 'a.txt')", "a.txt"),
    _artifact("returns_a_file_through_proc", "os.symlink('/proc/self/root' + A.private, 'a.txt')", "a.txt"),
    _artifact("swaps_an_artifact_for_a_link_while_it_is_collected", SWAP, "r*.txt"),
    _pattern("asks_for_an_absolute_artifact", lambda arena: str(arena.private)),
    _pattern("asks_for_an_artifact_above_the_workspace", lambda arena: "../" * 60 + str(arena.private)[1:]),
    _pattern("asks_for_an_artifact_by_dots_inside_a_pattern", lambda arena: "./" + "../" * 60 + str(arena.private)[1:]),
    _pattern("asks_for_everything_above_the_workspace", lambda arena: "../" * 60 + f"{arena.root}/*".lstrip("/")),
    _named(
        "returns_a_host_file_as_its_metadata",
        "os.makedirs('.holdfast', exist_ok=True); os.symlink(A.private, '.holdfast/metadata.json')",
        ".holdfast/metadata.json",
    ),
    _named(
        "returns_metadata_from_below_a_linked_directory",
        "os.symlink(os.path.dirname(A.private), 'd')",
        "d/private.txt",
    ),
    _artifact("returns_a_pipe_nobody_writes_to", "os.mkfifo('a')", "a", _came_back("a")),
    _artifact(
        "returns_a_pipe_that_a_child_keeps_open",
        "os.mkfifo('a')\nif os.fork() == 0:\n    os.setsid()\n    [os.close(n) for n in (0, 1, 2)]\n"
        "    os.open('a', os.O_RDWR)\n    time.sleep(8)\n    os._exit(0)\ntime.sleep(0.1)",
        "a",
        _came_back("a"),
    ),
    _artifact("returns_an_endless_device", "os.symlink('/dev/zero', 'a')", "a", _came_back("a")),
    _artifact("returns_its_own_memory_map", "os.symlink('/proc/self/maps', 'a')", "a", _came_back("a")),
    _artifact("returns_a_socket", "s = socket.socket(socket.AF_UNIX)\ns.bind('a')", "a", _came_back("a")),
    _artifact(
        "returns_a_sparse_terabyte",
        f"with open('a', 'wb') as file:\n    file.truncate({SPARSE_BYTES})",
        "a",
        lambda arena, ran: "a part of it came back" if ran.exited.artifacts.get("a") else None,
    ),
    _artifact(
        "returns_ten_thousand_files",
        f"os.mkdir('d')\nfor number in range({MANY}):\n    open(f'd/{{number}}', 'w').close()",
        "d/*",
        _too_many,
    ),
    _artifact(
        "returns_a_file_three_thousand_directories_deep",
        f"for number in range({DEPTH}):\n    os.mkdir('d')\n    os.chdir('d')\nopen('a', 'w').write('x')",
        "**/a",
        lambda arena, ran: "it came back" if any(name.count("/") >= DEPTH for name in ran.exited.artifacts) else None,
    ),
    _artifact("returns_a_name_that_is_not_utf8", "open(b'\\xff\\xfe.txt', 'w').write('x')", "*.txt", _unprintable),
    _artifact("returns_a_file_it_may_not_read", "os.symlink('/etc/shadow', 'a')", "a", _came_back("a")),
)
