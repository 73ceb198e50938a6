"""The process that draws: a specification on stdin, a picture on stdout. It gives up its network before it reads."""

import errno
import json
import resource
import sys

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 20
NO_WALL = 3


def main() -> None:
    """Draw one chart."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    import vl_convert

    try:
        _give_up_the_network()
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)
        sys.exit(NO_WALL)
    asked = json.load(sys.stdin.buffer)
    if asked["kind"] == "svg":
        picture = vl_convert.vegalite_to_svg(asked["spec"], allowed_base_urls=[]).encode()
    else:
        picture = vl_convert.vegalite_to_png(asked["spec"], scale=2, allowed_base_urls=[])
    sys.stdout.buffer.write(picture)


def _give_up_the_network() -> None:
    """No socket can be made any more, and no program started."""
    import pyseccomp

    wall = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in ("socket", "connect", "bind", "sendto", "sendmsg", "execve", "execveat", "ptrace"):
        wall.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
    wall.load()


if __name__ == "__main__":
    main()
