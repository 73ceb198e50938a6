"""What an attack program has at hand inside a sandbox; shipped into its workspace as `deed.py`.

A program begins with `A = begin()`, which prints TRYING, and says ESCAPED or REFUSED with what the kernel answered. A
program that says neither is broken, and is never counted as contained. The host uses the same system calls to plant
its canaries. Standard library only.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, NoReturn

MiB = 1 << 20
SECRET = re.compile(r"hf-secret-[0-9a-f]{32}")
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
X86_64 = platform.machine() == "x86_64"

# Numbers on x86_64 and on aarch64; -1 where the architecture has no such call. From 424 on they are the same.
NUMBERS = {
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "clone": (56, 220), "delete_module": (176, 106),
    "fanotify_init": (300, 262), "finit_module": (313, 273), "getpid": (39, 172), "init_module": (175, 105),
    "ioperm": (173, -1), "iopl": (172, -1), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "lookup_dcookie": (212, 18), "mbind": (237, 235),
    "migrate_pages": (256, 238), "mount": (165, 40), "move_pages": (279, 239), "mq_open": (240, 180),
    "mq_timedreceive": (243, 183), "mq_timedsend": (242, 182), "mq_unlink": (241, 181), "msgctl": (71, 187),
    "msgget": (68, 186), "msgrcv": (70, 188), "msgsnd": (69, 189), "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42), "open_by_handle_at": (304, 265), "perf_event_open": (298, 241),
    "personality": (135, 92), "pivot_root": (155, 41), "prlimit64": (302, 261), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "reboot": (169, 142),
    "request_key": (249, 218), "semctl": (66, 191), "semget": (64, 190), "setdomainname": (171, 162),
    "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170), "shmat": (30, 196),
    "shmctl": (31, 195), "shmdt": (67, 197), "shmget": (29, 194), "swapoff": (168, 225),
    "swapon": (167, 224), "syslog": (103, 116),
    "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "vhangup": (153, 58),
    "inotify_init1": (294, 26), "io_setup": (206, 0), "sync": (162, 81), "syncfs": (306, 267),
    "pidfd_open": (434, 434), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "clone3": (435, 435),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount_setattr": (442, 442),
}  # fmt: skip


def begin() -> SimpleNamespace:
    """Say that the attempt begins; answer the facts the arena gave."""
    print("TRYING", flush=True)
    return SimpleNamespace(**json.loads(os.environ["ARENA"]))  # noqa: TID251 -- the program's own


def escaped(evidence: object = "") -> None:
    """The deed worked."""
    print(f"\nESCAPED {evidence}", flush=True)


def refused(answer: str, evidence: object = "") -> None:
    """The deed was tried, and this is what came back."""
    print(f"\nREFUSED {answer} {evidence}", flush=True)


def reveal(text: str | bytes) -> None:
    """Print what was read; the deed worked if a secret is in it."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    secrets = SECRET.findall(plain)
    escaped(" ".join(secrets)) if secrets else refused("NOTHING", plain[:200].replace("\n", " "))


@contextmanager
def attempt() -> Iterator[None]:
    """A refusal by the system inside the block is reported as one; any other error means that the program is broken."""
    try:
        yield
    except MemoryError:
        refused("ENOMEM")
    except OSError as error:
        refused(errno.errorcode.get(error.errno or errno.ETIMEDOUT, f"E{error.errno}"), error)
    except RuntimeError as error:
        if "thread" not in str(error):
            raise
        refused("EAGAIN", error)


def syscall(name: str, *args: int | bytes | ctypes.Array[Any] | None) -> int:
    """A raw system call. Raises OSError with the kernel's answer."""
    number = NUMBERS[name][0 if X86_64 else 1]
    if number < 0:
        raise OSError(errno.ENOSYS, "this architecture has no such call")
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result: int = LIBC.syscall(ctypes.c_long(number), *words)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def reaches(name: str, *args: int | bytes | None) -> None:
    """Call with arguments that can do no harm: any answer but a refusal shows that the kernel got to work on it."""
    try:
        answer = str(syscall(name, *args))
    except OSError as error:
        answer = errno.errorcode.get(error.errno or 0, str(error.errno))
    refused(answer) if answer in ("EPERM", "EACCES", "ENOSYS") else escaped(f"{name} answered {answer}")


def opens(path: str, flags: int) -> None:
    """Open and close, without reading or writing."""
    with attempt():
        os.close(os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK))
        escaped(path)


def pids() -> list[int]:
    """The processes that can be seen, without this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def read(path: str, size: int = MiB) -> bytes:
    """The beginning of a file. Files of /proc answer page by page."""
    data = b""
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(size - len(data)):
            data += chunk
    return data


def find(marker: str) -> int:
    """The process that has `marker` as an argument. Raises ProcessLookupError."""
    for pid in pids():
        with suppress(OSError):
            if marker.encode() in read(f"/proc/{pid}/cmdline").split(b"\0"):
                return pid
    raise ProcessLookupError(errno.ESRCH, "no such process is to be seen")


def memory_of(pid: int | str) -> bytes:
    """What is in the stack and the heap of a process, as one string."""
    regions = [line.split() for line in read(f"/proc/{pid}/maps", 8 * MiB).decode().splitlines()]
    chosen = [region[0] for region in regions if region[-1] in ("[heap]", "[stack]") or len(region) == 5]
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for low, _, high in (span.partition("-") for span in chosen):
            with suppress(OSError, ValueError, OverflowError):
                memory.seek(int(low, 16))
                found += SECRET.findall(memory.read(min(int(high, 16) - int(low, 16), 32 * MiB)).decode("latin-1"))
    return "\n".join(found).encode()


def touch(size: int, make: Callable[[int], Any] = bytearray) -> Any:
    """Memory of that size with every page written to."""
    block = make(size)
    for offset in range(0, size, mmap.PAGESIZE):
        block[offset] = 1
    return block


def fill(path: str, size: int) -> None:
    """Write a file of that size and keep it."""
    with open(path, "wb", buffering=0) as file:
        for _ in range(size // MiB):
            file.write(os.urandom(4096) * 256)


def stray(seconds: float, token: str) -> None:
    """Leave a process of another session behind that can be told by `token`."""
    daemon([sys.executable or "python3", "-c", f"import time; time.sleep({seconds})", token])


def daemon(argv: list[str]) -> None:
    """Start a command in a session of its own, twice forked, with no open descriptors."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            os.execvp(argv[0], argv)
        os._exit(0)
    os.wait()


def in_child(deed: Callable[[], object]) -> int:
    """Run in a child; its wait status."""
    child = os.fork()
    if child == 0:
        quit_after(deed)
    return os.waitpid(child, 0)[1]


def quit_after(deed: Callable[[], object]) -> NoReturn:
    """Run and leave without Python's clean-up: 0, or 1 for an error of the system."""
    try:
        deed()
    except (OSError, MemoryError):
        os._exit(1)
    except BaseException:
        os._exit(99)
    os._exit(0)


def killed_by(code: int, otherwise: str) -> str:
    """The name of the signal that an exit code of a child stands for, or another word."""
    return signal.Signals(-code).name if code < 0 else otherwise


def machine_code(code: bytes) -> Callable[..., int]:
    """A function made of these bytes of x86-64 code."""
    if not X86_64:
        raise OSError(errno.ENOSYS, "this is x86-64 code")
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    KEPT.append(page)
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_uint)(address)


KEPT: list[Any] = []
