"""Escapes through files: the host's own, /proc, /sys and devices."""

import os
import sys
from pathlib import Path

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import LACKING, WITHHELD, Aim, Attack, Ran, program

READS = {
    "reads_a_public_file_of_the_host": "A.public",
    "reads_a_private_file_of_the_operator": "A.private",
    "climbs_to_a_host_file_with_dots": "'../' * 60 + A.public",
    "follows_its_own_root_link": "'/proc/self/root' + A.public",
    "follows_its_own_working_directory_link": "'/proc/self/cwd/' + '../' * 60 + A.public",
    "follows_the_root_of_its_parent": "f'/proc/{os.getppid()}/root{A.public}'",
    "follows_the_root_of_a_thread": "f'/proc/thread-self/root{A.public}'",
}
WITHHELD_READS = {
    "follows_the_root_of_pid_1": "'/proc/1/root' + A.public",
    "follows_the_working_directory_of_pid_1": "'/proc/1/cwd/' + '../' * 60 + A.public",
    "follows_the_root_of_a_host_process": "f'/proc/{find(A.bystander)}/root{A.public}'",
}
UNNAMED_FILES = {
    "creates_a_file_in_usr": "/usr",
    "creates_a_file_in_etc": "/etc",
    "creates_a_file_in_the_root_directory": "/",
    "creates_a_file_among_the_libraries": "/usr/lib",
    "creates_a_file_in_var_lib": "/var/lib",
}
OPENED_FOR_WRITING = {
    "opens_core_pattern_for_writing": "/proc/sys/kernel/core_pattern",
    "opens_the_modprobe_path_for_writing": "/proc/sys/kernel/modprobe",
    "opens_overcommit_memory_for_writing": "/proc/sys/vm/overcommit_memory",
    "opens_the_address_randomisation_for_writing": "/proc/sys/kernel/randomize_va_space",
    "opens_binfmt_misc_for_writing": "/proc/sys/fs/binfmt_misc/register",
    "opens_sysrq_trigger_for_writing": "/proc/sysrq-trigger",
    "opens_the_uevent_helper_for_writing": "/sys/kernel/uevent_helper",
    "opens_the_power_state_for_writing": "/sys/power/state",
    "opens_the_memory_of_pid_1_for_writing": "/proc/1/mem",
    "opens_the_uid_map_of_pid_1_for_writing": "/proc/1/uid_map",
    "opens_the_oom_score_of_pid_1_for_writing": "/proc/1/oom_score_adj",
}
OPENED_FOR_READING = {
    "opens_the_memory_image_of_the_kernel": "/proc/kcore",
    "opens_the_kernel_log": "/dev/kmsg",
    "opens_the_kernel_log_in_proc": "/proc/kmsg",
    "opens_physical_memory": "/dev/mem",
    "opens_the_io_ports": "/dev/port",
    "opens_the_hypervisor": "/dev/kvm",
    "opens_the_tunnel_device": "/dev/net/tun",
    "opens_the_fuse_device": "/dev/fuse",
    "opens_the_loop_control_device": "/dev/loop-control",
    "opens_the_device_mapper": "/dev/mapper/control",
    "opens_the_console": "/dev/console",
    "opens_a_virtual_terminal": "/dev/tty0",
    "opens_the_user_input_device": "/dev/uinput",
    "opens_the_vsock_device": "/dev/vsock",
    "opens_the_kernel_debug_directory": "/sys/kernel/debug/sched",
    "opens_the_kernel_trace_directory": "/sys/kernel/tracing/trace",
    "opens_the_mount_namespace_of_pid_1": "/proc/1/ns/mnt",
    "opens_the_memory_map_of_pid_1": "/proc/1/maps",
    "opens_the_environment_of_pid_1": "/proc/1/environ",
}
MATCHED = {
    "opens_a_cgroup_release_agent_for_writing": "/sys/fs/cgroup/**/release_agent",
    "opens_the_member_list_of_a_cgroup_for_writing": "/sys/fs/cgroup/**/cgroup.procs",
    "opens_the_memory_limit_of_a_cgroup_for_writing": "/sys/fs/cgroup/**/memory.*limit_in_bytes",
    "opens_the_process_limit_of_a_cgroup_for_writing": "/sys/fs/cgroup/**/pids.max",
}


def _read(name: str, path: str, may_refuse: frozenset[str] = frozenset()) -> Attack:
    return program(name, Aim.ESCAPE, f"with attempt():\n    reveal(read({path}))", may_refuse=may_refuse)


def _open(name: str, path: str, flags: str) -> Attack:
    return program(name, Aim.ESCAPE, f"opens({path!r}, {flags})", may_refuse=LACKING | WITHHELD | {"EROFS", "EIO"})


def _open_match(name: str, pattern: str) -> Attack:
    code = f"""
import glob
found = glob.glob({pattern!r}, recursive=True)
opens(found[0], os.O_WRONLY) if found else refused("ENOENT", {pattern!r})
"""
    return program(name, Aim.ESCAPE, code, may_refuse=LACKING | WITHHELD | {"EROFS"})


def _unnamed(name: str, folder: str) -> Attack:
    """O_TMPFILE makes a file without a name: it shows the right to write and leaves nothing."""
    return program(name, Aim.ESCAPE, f"opens({folder!r}, os.O_TMPFILE | os.O_RDWR)", may_refuse=WITHHELD | {"EROFS"})


def _wrote(arena: Arena, ran: Ran) -> str | None:
    found = os.listdir(arena.marker_dir)
    return f"it wrote {found[0]} on the host" if found else None


def _host_names(folder: str) -> set[str]:
    """What is in a directory of the host, but for the way to the interpreter, which a sandbox has to have."""
    ways = {Path(path) for path in (sys.prefix, sys.base_prefix)}
    needed = {way.relative_to(folder).parts[0] for way in ways if way.is_relative_to(folder)}
    return set(os.listdir(folder)) - needed


def _listed(name: str, fact: str) -> Attack:
    def truth(arena: Arena, ran: Ran) -> str | None:
        seen = _host_names(str(arena.facts()[fact])) & set(" ".join(ran.lines("LISTED")).split("/"))
        return f"it saw {len(seen)} names in a directory of the host" if seen else None

    code = f"with attempt():\n    print('LISTED', '/'.join(os.listdir(A.{fact})))\n    refused('NOTHING')"
    return program(name, Aim.ESCAPE, code, truth=truth, may_refuse=frozenset({"NOTHING"}))


OTHERS = (
    program(
        "reads_the_password_hashes",
        Aim.ESCAPE,
        "with attempt():\n    data = read('/etc/shadow')\n    escaped('read') if b':' in data else refused('NOTHING')",
        may_refuse=WITHHELD | LACKING,
    ),
    program(
        "writes_a_file_outside_the_sandbox",
        Aim.ESCAPE,
        "with attempt():\n    open(A.marker_dir + '/mark', 'w').write('x')\n    refused('UNSEEN')",
        truth=_wrote,
    ),
    program(
        "makes_the_host_directory_it_wants_to_write_to",
        Aim.ESCAPE,
        "with attempt():\n    os.makedirs(A.marker_dir + '/deep/er')\n    refused('UNSEEN')",
        truth=_wrote,
    ),
    program(
        "links_a_host_file_into_a_host_directory",
        Aim.ESCAPE,
        "with attempt():\n    os.symlink('/x', A.marker_dir + '/link')\n    refused('UNSEEN')",
        truth=_wrote,
    ),
    program(
        "makes_a_block_device",
        Aim.ESCAPE,
        "with attempt():\n    os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(7, 0))\n    os.unlink('disk')\n"
        "    escaped('made')",
        may_refuse=WITHHELD,
    ),
    program(
        "makes_a_character_device",
        Aim.ESCAPE,
        "with attempt():\n    os.mknod('null', stat.S_IFCHR | 0o600, os.makedev(1, 3))\n    os.unlink('null')\n"
        "    escaped('made')",
        may_refuse=WITHHELD,
    ),
    program(
        "opens_a_disk_of_the_host",
        Aim.ESCAPE,
        """
disks = ["/dev/" + name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode)]
opens(disks[0], os.O_RDONLY) if disks else refused("ENOENT", "no disk is to be seen")
""",
        may_refuse=LACKING | WITHHELD,
    ),
    program(
        "writes_to_its_own_interpreter",
        Aim.ESCAPE,
        """
try:
    os.close(os.open("/proc/self/exe", os.O_RDWR))
    escaped("opened")
except OSError as error:
    answer = errno.errorcode[error.errno]
    escaped(answer) if answer == "ETXTBSY" else refused(answer)
""",
        may_refuse=WITHHELD | {"EROFS"},
    ),
    program(
        "removes_the_write_protection_of_its_interpreter",
        Aim.ESCAPE,
        """
with attempt():
    path = os.path.realpath(sys.executable or "/proc/self/exe")
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))
    escaped(path)
""",
        may_refuse=WITHHELD | {"EROFS"},
    ),
    program(
        "pushes_input_into_a_terminal",
        Aim.ESCAPE,
        "import termios\nwith attempt():\n    _, terminal = os.openpty()\n"
        "    fcntl.ioctl(terminal, termios.TIOCSTI, b'x')\n    escaped('pushed')",
        may_refuse=LACKING | WITHHELD | {"EIO"},
    ),
    program(
        "takes_terminals_of_the_host",
        Aim.ESCAPE,
        "with attempt():\n    _, terminal = os.openpty()\n    print('LISTED', os.fstat(terminal).st_dev)\n"
        "    refused('OTHER')",
        truth=lambda arena, ran: (
            "its terminals are the host's" if ran.lines("LISTED") == [str(os.stat("/dev/pts").st_dev)] else None
        ),
        may_refuse=LACKING,
    ),
)

ATTACKS = (
    *(_read(name, path) for name, path in READS.items()),
    *(_read(name, path, WITHHELD) for name, path in WITHHELD_READS.items()),
    *(_unnamed(name, folder) for name, folder in UNNAMED_FILES.items()),
    *(_open(name, path, "os.O_WRONLY") for name, path in OPENED_FOR_WRITING.items()),
    *(_open(name, path, "os.O_RDONLY") for name, path in OPENED_FOR_READING.items()),
    *(_open_match(name, pattern) for name, pattern in MATCHED.items()),
    _listed("lists_the_home_of_the_operator", "home"),
    _listed("lists_the_working_directory_of_the_server", "cwd"),
    *OTHERS,
)
