"""What a runner is told by its environment, under the names that pods already have."""

import os
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from holdfast.errors import ConfigurationError


class RunnerSettings(BaseModel):
    """How one runner process works: one task at once (`active`), or those of a server (`standby`)."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    mode: Literal["active", "standby"] = "active"
    task_id: str | None = None
    task_config: str | None = None
    callback_url: str | None = None
    register_url: str | None = None
    request_id: str | None = None
    pod_name: str = "unknown"
    pod_ip: str = "unknown"


def load_runner(environ: Mapping[str, str] | None = None) -> RunnerSettings:
    """Read the environment. Raises ConfigurationError."""
    given = os.environ if environ is None else environ
    values = {name: given[name.upper()] for name in RunnerSettings.model_fields if given.get(name.upper())}
    if "mode" in values:
        values["mode"] = values["mode"].lower()
    try:
        return RunnerSettings.model_validate(values)
    except ValidationError:
        raise ConfigurationError("MODE is active or standby.") from None


def of_environment(name: str) -> str | None:
    """A variable that a command was told to read, such as a secret of a task."""
    return os.environ.get(name)
