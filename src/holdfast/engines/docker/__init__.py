"""The Docker engine: a container per sandbox, on a Docker daemon.

Theory of operation
===================

::

    server ──(socket of the daemon: create, attach, start / remove)──> daemon ──> container
       └──(one byte stream, attached: config, job, files / output, verdict)──> pid 1 ──fork──> guest

*Container* (`creation`): everything Docker can hold it with, as data. Nothing of a program is in that: code, files,
arguments, environment and input go to pid 1 over its stdin, so `docker inspect` and the logs know nothing of them.

*Pid 1* (`guest.contained`): our code and nothing else, with three capabilities by which it makes guests of another
user. The guest adds our own system call filter to Docker's, has no capability, and waits, warm, for its one job.

*Images* (`holdfast.images`): one for each language. A prebuilt environment is an image derived from one of them.

*Removal* (`removal`, `leftovers`): the server's end of the stream is what keeps a container alive. When it closes,
whoever died, pid 1 finds its stdin at the end and exits. What a killed server has left is removed by the next one.
"""

from typing import TYPE_CHECKING, Any

from holdfast.engines.docker.config import DockerConfig

if TYPE_CHECKING:
    from holdfast.engines.docker.engine import DockerEngine as DockerEngine

__all__ = ["DockerConfig", "DockerEngine"]


def __getattr__(name: str) -> Any:
    """The engine, loaded when somebody asks for it: its client takes 10 MB, which a server without Docker can save."""
    if name != "DockerEngine":
        raise AttributeError(name)
    from holdfast.engines.docker.engine import DockerEngine

    return DockerEngine
