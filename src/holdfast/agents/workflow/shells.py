"""How the script of a step is run, by what its `shell` says."""

import shlex
from collections.abc import Mapping

from holdfast.agents.workflow.expressions import ExpressionError

SCRIPT = "{0}"
SHELLS: Mapping[str, str] = {
    "bash": f"bash --noprofile --norc -eo pipefail {SCRIPT}",
    "sh": f"sh -e {SCRIPT}",
    "python": f"python {SCRIPT}",
    "node": f"node {SCRIPT}",
}
DEFAULT = f"bash -e {SCRIPT}"
REFUSED = frozenset({"pwsh", "powershell", "cmd"})


def command_of(shell: str | None, script: str) -> tuple[str, ...]:
    """The words that run the script at this path. Raises ExpressionError for a shell there is not."""
    pattern = DEFAULT if shell is None else SHELLS.get(shell, shell)
    try:
        words = shlex.split(pattern)
    except ValueError as error:
        raise ExpressionError(f"the shell '{pattern[:80]}' cannot be read: {error}") from None
    if not any(SCRIPT in word for word in words) or (words and words[0] in REFUSED):
        known = ", ".join(SHELLS)
        raise ExpressionError(
            f"the shell '{pattern[:80]}' is not supported; there are {known}, or a command with {SCRIPT} in it"
        )
    return tuple(word.replace(SCRIPT, script) for word in words)
