"""A setup script that attacks: it has its layer and nothing else, and what it leaves is harmless."""

import os
import stat
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from holdfast.errors import BuildFailedError, HoldfastError
from tests.prebuilds.conftest import Workshop

pytestmark = pytest.mark.anyio

SMALL = {"prebuild_memory": "192m", "prebuild_timeout": 20.0, "prebuild_size": "32m"}


@pytest.mark.parametrize(
    "place",
    [
        "/opt/holdfast/env/bin/x",
        "/opt/holdfast/env/lib/x",
        "/opt/holdfast/lib/holdfast/guest/x",
        "/opt/holdfast/installer/pip/x",
        "/opt/holdfast/bin/x",
        "/usr/local/bin/x",
        "/etc/x",
        "/run/x",
        "/x",
        "/node_modules/../../x",
    ],
)
async def test_a_build_cannot_write_outside_its_layer(workshop: Workshop, place: str) -> None:
    made = await workshop.build("out", f"if echo x > {place}; then echo written > proof; fi; true", base_image="bash")
    assert not (next(workshop.layers.iterdir()) / "proof").exists(), made


async def test_a_build_cannot_reach_the_layers_and_records_of_others(workshop: Workshop) -> None:
    await workshop.build("victim", "echo pure > file", base_image="bash")
    state = workshop.app.settings.state_dir
    script = f"set +e; for place in {state} {state}/prebuilds {workshop.layers} /proc/1/root{state}; do ls $place; "
    script += "echo poison > $place/file; done; find / -name 'file' -newer /etc/hostname 2>/dev/null; true"
    await workshop.build("attacker", script, base_image="bash")
    assert (await workshop.run("cat /opt/holdfast/layer/file", "victim")).stdout == "pure\n"
    assert {path.name for path in state.rglob("file")} == {"file"}
    assert len(list(state.rglob("file"))) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("ln -s /etc/shadow x", "leads out of the layer"),
        ("ln -s ../../../etc x", "leads out of the layer"),
        ("mkdir d; ln -s d/../../../etc x", "no plain path"),
        ("rm -rf bin; ln -s / bin", "leads out of the layer"),
        ("mkfifo pipe", "neither a file"),
        ("python -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'", "neither a file"),
        ("chmod 000 bin", "'bin' in the layer cannot be read"),
        ("echo x > file; chmod 000 file", "'file' in the layer cannot be read"),
        ("for i in $(seq 70); do mkdir d; cd d; done", "at most 64 directories deep"),
        ("head -c 40000000 /dev/zero > big", "larger than"),
        ("truncate -s 100G sparse", "more files than a build may hold"),
        ("head -c 190000000 /dev/zero > big", "more files than a build may hold|needed more memory|exit code"),
        ("python -c 'x = bytearray(400 << 20)'", "needed more memory|exit code"),
        ("sleep 100", "time limit"),
        ("while :; do echo flood flood flood flood flood flood flood; done", "output than is kept|time limit"),
    ],
)
async def test_a_layer_that_cannot_be_kept_is_refused_with_its_reason(
    workshop_with: Callable[..., Any], script: str, reason: str
) -> None:
    workshop = await workshop_with(**{**SMALL, "prebuild_timeout": 4.0})
    with pytest.raises(BuildFailedError, match=reason):
        await workshop.build("bad", script)
    assert workshop.found() == []


async def test_a_fork_bomb_is_bounded_and_over_with_the_build(workshop_with: Callable[..., Any]) -> None:
    workshop = await workshop_with(**{**SMALL, "prebuild_timeout": 3.0})
    with pytest.raises(HoldfastError):
        await workshop.build("bomb", "bomb() { bomb | bomb & }; bomb; sleep 100")
    await workshop.build("after", "echo fine > file")
    assert len(workshop.found()) == 1


async def test_what_a_script_leaves_running_changes_nothing(workshop: Workshop) -> None:
    script = "echo first > file; (setsid sh -c 'while :; do echo later > file; echo later > more; done' &) ; sleep 0.2"
    await workshop.build("busy", script, base_image="bash")
    first = await workshop.run("cat /opt/holdfast/layer/file", "busy")
    await anyio.sleep(0.3)
    assert (await workshop.run("cat /opt/holdfast/layer/file", "busy")).stdout == first.stdout


async def test_files_on_the_host_have_no_special_rights_and_no_special_owner(workshop: Workshop) -> None:
    await workshop.build("modes", "cp /bin/sh shell; chmod 6777 shell; mkdir d; chmod 1777 d")
    [layer] = workshop.layers.iterdir()
    for path in [layer, *layer.rglob("*")]:
        found = path.lstat()
        assert stat.S_IMODE(found.st_mode) in ({0o777} if path.is_symlink() else {0o644, 0o755}), path
        assert found.st_uid not in {0, os.geteuid()} or os.geteuid() != 0, path
    result = await workshop.run("stat -c %a /opt/holdfast/layer/shell; /opt/holdfast/layer/shell -c id", "modes")
    assert result.exit_code == 1 or "uid=1000" in result.stdout


HOSTILE_PYTHON = """
site=lib/$(ls lib)/site-packages
for name in sitecustomize usercustomize os json marshal holdfast _struct struct pandas; do
  echo 'print("MODULE OF THE LAYER", __name__)' > $site/$name.py
done
echo 'import sys; sys.layer_pth = __import__("os").getuid()' > $site/evil.pth
rm bin/python; printf '#!/bin/sh\\necho false python' > bin/python; chmod 755 bin/python
echo 'home = /nowhere' > pyvenv.cfg
"""


async def test_nothing_of_a_layer_runs_outside_of_a_locked_cell(workshop_with: Callable[..., Any]) -> None:
    workshop = await workshop_with(pool_size=4)
    await workshop.build("hostile", HOSTILE_PYTHON)
    code = "import sys, os, json; print(sys.layer_pth, os.getuid(), json.dumps(1), sys.executable)"
    for environment in ({}, {"TZ": "UTC"}):
        result = await workshop.run(code, "hostile", environment=environment)
        assert result.stdout == "1000 1000 1 /opt/holdfast/env/bin/python\n", result.stderr
    again = await workshop.run("import pandas", "hostile")
    assert again.stdout == "MODULE OF THE LAYER pandas\n"
    assert again.isolation.capabilities_dropped and again.isolation.seccomp == "filter"
    assert (await workshop.run("import json; print(json.dumps(1))", "python")).stdout == "1\n"


SPECIAL = """
cp /bin/true plain
python - <<'END'
import os, stat
deeds = {
    "attribute": lambda: os.setxattr("plain", "user.overlay.opaque", b"y"),
    "whiteout attribute": lambda: os.setxattr("plain", "trusted.overlay.whiteout", b"y"),
    "capability": lambda: os.setxattr("plain", "security.capability", bytes([1, 0, 0, 2, 0, 32]) + bytes(14)),
    "device": lambda: os.mknod("device", 0o600 | stat.S_IFCHR, os.makedev(0, 0)),
    "disk": lambda: os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
    "link to the interpreter": lambda: os.link("/opt/holdfast/env/bin/python", "linked"),
    "link to the script": lambda: os.link("/workspace/.holdfast/setup.sh", "script"),
}
for name, deed in deeds.items():
    try:
        deed()
    except OSError as error:
        print(name, "refused:", error.strerror)
END
for name in .wh.bin .wh..wh..opq .wh..wh.plnk; do echo x > $name; done
ln plain again
mkdir sticky; chmod 3777 sticky; chown 0:0 plain || true
"""


async def test_special_files_attributes_and_hard_links_do_not_get_into_a_layer(workshop: Workshop) -> None:
    await workshop.build("special", SPECIAL)
    [layer] = workshop.layers.iterdir()
    names = {path.name for path in layer.iterdir()}
    assert names >= {".wh.bin", ".wh..wh..opq", "plain", "again", "bin", "lib"}, "names mean nothing, and hide nothing"
    assert not names & {"device", "disk", "linked", "script"}
    for path in [layer, *layer.rglob("*")]:
        assert os.listxattr(path, follow_symlinks=False) == [], path
        if path.is_file() and not path.is_symlink():
            assert path.lstat().st_nlink == 1, "a link to a file would let one name change another"
    code = "import subprocess; print(subprocess.call(['/opt/holdfast/layer/plain']))"
    assert (await workshop.run(code, "special")).stdout == "0\n"


STARTUP = """
site=lib/$(ls lib)/site-packages
for hook in sitecustomize usercustomize; do echo 'print("HOOK OF A LAYER")' > $site/$hook.py; done
echo 'import sys; print("PATH FILE OF A LAYER")' > $site/zz.pth
mkdir -p node_modules/fs lib/node_modules/process
echo 'console.log("MODULE OF A LAYER")' | tee node_modules/fs/index.js > lib/node_modules/process/index.js
for name in sh bash cat python node go rustc cargo cc ld as deno bun env; do
  rm -f bin/$name
  printf '#!/bin/sh\\necho PROGRAM OF A LAYER\\n' > bin/$name
  /bin/chmod 755 bin/$name
done
"""


async def test_what_a_layer_puts_in_place_of_interpreters_and_compilers_is_seen_by_its_own_runs_alone(
    workshop_with: Callable[..., Any],
) -> None:
    workshop = await workshop_with(pool_size=4)
    programs = {
        "python": "print('mine')",
        "node": "require('fs'); console.log('mine')",
        "bash": "cat /dev/null; echo mine",
        "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println("mine") }',
        "rust": 'fn main() { println!("mine"); }',
    }
    await workshop.build("startup", STARTUP)
    for language in ("go", "rust"):
        await workshop.build(f"startup-{language}", STARTUP, base_image=language)
        # Whatever that came to, it is kept for that layer.
        await workshop.run(programs[language], f"startup-{language}")
    await workshop.run(programs["python"], "startup")
    for language, code in programs.items():
        result = await workshop.run(code, language)
        assert (result.stdout, result.stderr) == ("mine\n", ""), language
