"""Every setting, in one frozen class. This is the only module that reads the environment.

Later sources win: defaults, `holdfast.toml`, `.env` files, the environment, the command line.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from holdfast.errors import ConfigurationError
from holdfast.languages import DATA_MODULES
from holdfast.settings.chat import ChatSettings
from holdfast.settings.kinds import OFF as OFF
from holdfast.settings.kinds import RATE as RATE
from holdfast.settings.kinds import Allowed, Folder, Listed, Lowered, NameServer, Positive, Size, rate, store_place
from holdfast.settings.kinds import described as _described
from holdfast.settings.names import SEED_NAMES as SEED_NAMES
from holdfast.settings.names import WITHOUT_EFFECT as WITHOUT_EFFECT
from holdfast.settings.tasks import TaskSettings

PREFIX = "HOLDFAST_"
CONFIG_FILE = "holdfast.toml"
CONFIG_VARIABLE = "HOLDFAST_CONFIG"

Layer = Literal["namespaces", "seccomp", "cgroup", "landlock", "separate_users"]
DEFAULT_FLOOR: frozenset[Layer] = frozenset({"namespaces", "seccomp", "cgroup"})


def _default_state_dir() -> Path:
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "holdfast"


def _default_concurrency() -> int:
    return max(4, 2 * (os.cpu_count() or 1))


class GeneralSettings(BaseModel):
    """What is not of a part that has settings of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = _described("127.0.0.1", "Address to listen on; anything but loopback needs an API key.")
    port: Annotated[int, Field(ge=0, le=65535)] = _described(8000, "Port to listen on; 0 takes a free one.")
    allowed_hosts: Annotated[tuple[str, ...], Listed] = _described(
        (), "Host names under which the server may be called, besides loopback and `host`; `*` is any."
    )
    cors_origins: Annotated[tuple[str, ...], Listed] = _described((), "Web origins whose pages may call the server.")
    auth_token: SecretStr | None = _described(
        None, "A key to accept, besides those of `holdfast keys`; it has scope admin."
    )
    api_keys: Annotated[tuple[SecretStr, ...], Listed] = _described(
        (), "More keys to accept, separated by commas; each is the operator's, with scope admin."
    )
    max_body_bytes: Size = _described("16m", "Largest request body.")
    body_memory: Size = _described("256m", "Bodies of all requests in progress together; more are answered 429.")
    key_body_memory: Size = _described(
        "64m", "Bodies of one key's requests in progress together; admin keys have no such limit."
    )

    state_dir: Folder = _described(_default_state_dir, "Where all state lives.", "~/.local/share/holdfast")
    guest_env: Folder | None = _described(
        None, "The environment whose packages programs can import.", "guest, in the state directory"
    )
    languages_dir: Folder | None = _described(
        None, "Where Holdfast installs compilers and runtimes.", "languages, in the state directory"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lowered] = _described(
        "info", "Least severe log line to write."
    )
    log_format: Literal["console", "json"] = _described("console", "How log lines look.")

    engine: Literal["local", "docker", "gvisor"] = _described("local", "What isolates programs.")
    isolation_floor: Annotated[frozenset[Layer], Listed] = _described(
        DEFAULT_FLOOR, "Layers without which the server refuses to start."
    )
    accept_rlimits: bool = _described(False, "Accept a host without cgroups; results say so, and limits are weaker.")
    compiled_cells: bool = _described(True, "Make sandboxes by compiled code, if `holdfast setup` found a C compiler.")
    allow_network: bool = _described(
        False, "Let requests ask for outbound network: public addresses only. Needs slirp4netns and nftables."
    )
    network_allow: Annotated[tuple[Allowed, ...], Listed] = _described(
        (),
        "Private destinations that programs with a network may reach too, such as `10.1.2.3:443` or `10.1.0.0/16:443`.",
    )
    network_resolvers: Annotated[tuple[NameServer, ...], Listed] = _described(
        (), "Name servers for programs with a network; opened to them on port 53.", "those of the host that are public"
    )
    pool_size: Annotated[int, Field(ge=0)] = _described(24, "Sandboxes kept ready at most; 0 makes each on demand.")
    pool_memory: Size = _described("512m", "Memory that ready sandboxes may be charged for together.")
    warm_modules: Annotated[tuple[str, ...], Listed] = _described(
        DATA_MODULES, "Python modules loaded in advance for programs that import one of them."
    )
    cgroup_parent: str | None = _described(None, "The cgroup below which runs are placed.", "found at start")
    docker_socket: Path = _described(Path("/var/run/docker.sock"), "Docker's socket; `/health` says if it answers.")
    docker_runtime: str = _described(
        "", "What runs containers of the engine `docker`, such as `runsc`.", "Docker's own"
    )
    docker_images: Annotated[str, Field(pattern=r"[a-z0-9][a-z0-9._/-]{0,100}")] = _described(
        "holdfast", "What the names of the images of the engine `docker` begin with."
    )
    docker_network: str = _described(
        "", "A Docker network whose egress you filter, for programs with a network.", "none: there are no such programs"
    )

    concurrency: PositiveInt = _described(
        _default_concurrency, "Runs at the same time.", "twice the processors, at least 4"
    )
    queue: Annotated[int, Field(ge=0)] = _described(64, "Requests that may wait for a place; more are answered 429.")

    default_timeout: Positive = _described(30.0, "Seconds a run gets when it does not say.")
    max_timeout: Positive = _described(300.0, "Most seconds a run may ask for.")
    default_memory: Size = _described("256m", "Memory of a run when it does not say.")
    max_memory_mb: PositiveInt = _described(2048, "Most memory a run may ask for, in MiB.")
    default_cpu_shares: Annotated[int, Field(ge=2, le=262_144)] = _described(512, "Weight against other runs.")
    max_cpu_cores: Positive = _described(4.0, "Most processors a run may use.")
    default_disk: Size = _described("512m", "Scratch files of a run; never above three quarters of its memory.")
    max_disk_mb: PositiveInt = _described(5000, "Most scratch space a run may ask for, in MiB.")
    default_processes: PositiveInt = _described(64, "Processes and threads of a run when it does not say.")
    max_processes: PositiveInt = _described(512, "Most processes and threads a run may ask for.")
    default_open_files: Annotated[int, Field(ge=16)] = _described(1024, "Open files of a run when it does not say.")
    max_open_files: Annotated[int, Field(ge=16)] = _described(4096, "Most open files a run may ask for.")
    output_bytes: Size = _described("1m", "What is kept of each output stream when a run does not say.")
    max_output_bytes: Size = _described("16m", "Most output per stream a run may ask for.")
    compile_timeout: Positive = _described(60.0, "Seconds a compiler may take.")
    compile_memory: Size = _described("1g", "Memory a compiler may use.")
    retention_days: Positive = _described(30.0, "Days the rows of runs are kept.")
    retention_runs: PositiveInt = _described(100_000, "Rows of runs kept at most; the oldest go first.")
    cleanup_interval_hours: Positive = _described(24.0, "Hours between removals of what is kept long enough.")
    key_concurrency: Annotated[int, Field(ge=0)] = _described(
        32, "Requests one key may have in progress; admin keys have no such limit; 0 is no limit."
    )
    key_rate: Annotated[str, AfterValidator(rate)] = _described(
        "600/minute",
        "Requests one key may make per second, minute or hour; admin keys may make any; `off` is no limit.",
    )
    store: Annotated[SecretStr | None, BeforeValidator(store_place)] = _described(
        None,
        "Where runs are remembered: `sqlite`, the path of an SQLite file, or `postgresql://user:password@host/database`.",
        "a file in the state directory",
    )
    capsule_store: Size = _described("1g", "What is kept of data runs and their results; the oldest go first.")
    compile_cache: Size = _described("1g", "Compiled programs kept on disk; the least recently used go first.")

    prebuild_network: Annotated[Literal["off", "auto", "on"], Lowered] = _described(
        "off", "Outbound network for builds of prebuilt environments; `auto`: on a server without keys on loopback."
    )
    prebuild_index_url: str | None = _described(None, "The Python package index of builds with a network.")
    prebuild_npm_registry: str | None = _described(None, "The npm registry of builds with a network.")
    prebuild_ca: Folder | None = _described(None, "A file of the certificates that builds with a network trust.")
    prebuild_timeout: Positive = _described(600.0, "Seconds a build may take.")
    prebuild_memory: Size = _described("2g", "Memory of a build; its files count in it, and have three quarters.")
    prebuild_size: Size = _described("1g", "Largest prebuilt environment.")
    prebuild_total: Size = _described("10g", "All prebuilt environments together.")
    prebuild_count: PositiveInt = _described(50, "Prebuilt environments that are kept at most.")
    cleanup_max_age_days: Annotated[float, Field(ge=0, allow_inf_nan=False, le=36_500)] = _described(
        7.0, "Days after its last use that a prebuilt environment is removed; 0 keeps all."
    )
    max_sessions: Annotated[int, Field(ge=0)] = _described(128, "Sessions open at the same time; 0 allows none.")
    max_sessions_per_key: PositiveInt = _described(32, "Sessions one key may have open; admin keys have no such limit.")
    session_idle: Positive = _described(600.0, "Seconds after which an unused session ends, when it does not say.")
    max_session_idle: Positive = _described(3600.0, "Most seconds of idleness a session may ask for.")
    session_lifetime: Positive = _described(3600.0, "Seconds after which a session ends, when it does not say.")
    max_session_lifetime: Annotated[float, Field(gt=0, le=2_000_000)] = _described(
        86400.0, "Longest lifetime a session may ask for."
    )
    session_files: Size = _described("64m", "What is kept of the files of one session, for when it is lost.")
    session_store: Size = _described("1g", "What is kept of the files of all sessions together.")

    datasets_dir: Folder | None = _described(
        None, "A folder with a `registry.json` and the files of its datasets, instead of the demo datasets."
    )
    dataset_upload: Size = _described("2g", "Largest upload of a dataset.")
    dataset_total: Size = _described("20g", "All datasets together, as they are kept.")
    dataset_count: PositiveInt = _described(500, "Uploaded datasets that are kept at most.")
    dataset_days: Annotated[float, Field(ge=0, allow_inf_nan=False, le=36_500)] = _described(
        90.0, "Days after its last use that an uploaded dataset is removed; 0 keeps all."
    )
    dataset_timeout: Positive = _described(900.0, "Seconds that reading the files of a dataset may take.")
    dataset_memory: Size = _described(
        "3g", "Memory of reading them; the tables they become count in it, and have half of it."
    )

    data_timeout: Positive = _described(10.0, "Seconds a data run gets when it does not say.")
    max_data_timeout: Positive = _described(60.0, "Most seconds a data run may ask for.")
    data_memory: Size = _described("512m", "Memory of a data run; never above what a run may ask for.")
    data_ahead: Size = _described(
        "96m", "How much of a dataset a sandbox reads while it waits for a question; 0: nothing."
    )
    data_cpus: Positive = _described(0.5, "Processors of a data run; never above what a run may use.")
    data_rows: PositiveInt = _described(200, "Rows a data run returns when it does not say.")
    max_data_rows: PositiveInt = _described(1000, "Most rows a data run may ask for.")
    data_output: Annotated[Size, Field(ge=1024)] = _described(
        65_536, "Bytes of JSON that a data run returns at most when it does not say."
    )
    max_data_output: Size = _described(1_000_000, "Most bytes of JSON that a data run may ask for.")

    enable_python_execution: bool = _described(True, "Let data runs be of Python; SQL and plans always may.")

    server: str | None = _described(
        None, "The server that `holdfast run`, `grade`, `prebuild` and `session` call, instead of this machine."
    )
    api_key: SecretStr | None = _described(None, "The key that these commands send to it.")

    @property
    def guest_environment(self) -> Path:
        """Where the packages of programs live."""
        return self.guest_env or self.state_dir / "guest"

    @property
    def store_place(self) -> Path | str:
        """Where the rows are: the file of an SQLite database, or the URL of one of PostgreSQL."""
        place = self.store.get_secret_value() if self.store else str(self.state_dir / "holdfast.db")
        return place if "://" in place else Path(place).expanduser().absolute()

    @property
    def toolchains(self) -> Path:
        """Where the languages that Holdfast installs live."""
        return self.languages_dir or self.state_dir / "languages"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        pairs = (
            ("max_body_bytes", self.max_body_bytes, "key_body_memory", self.key_body_memory),
            ("key_body_memory", self.key_body_memory, "body_memory", self.body_memory),
            ("default_timeout", self.default_timeout, "max_timeout", self.max_timeout),
            ("default_memory", self.default_memory, "max_memory_mb", self.max_memory_mb << 20),
            ("default_disk", self.default_disk, "max_disk_mb", self.max_disk_mb << 20),
            ("default_processes", self.default_processes, "max_processes", self.max_processes),
            ("default_open_files", self.default_open_files, "max_open_files", self.max_open_files),
            ("output_bytes", self.output_bytes, "max_output_bytes", self.max_output_bytes),
            ("data_timeout", self.data_timeout, "max_data_timeout", self.max_data_timeout),
            ("data_rows", self.data_rows, "max_data_rows", self.max_data_rows),
            ("data_output", self.data_output, "max_data_output", self.max_data_output),
            ("session_idle", self.session_idle, "max_session_idle", self.max_session_idle),
            ("session_lifetime", self.session_lifetime, "max_session_lifetime", self.max_session_lifetime),
        )
        faults = [f"{low} must not be above {high}" for low, least, high, most in pairs if least > most]
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Settings(TaskSettings, ChatSettings, GeneralSettings):
    """What an operator can choose. Make one with `load_settings`."""


INTERNAL = frozenset({CONFIG_VARIABLE, "HOLDFAST_EXPECT"})
"""Names with our prefix that are no settings: where the file is, and what the tests of this host must find."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Read every source. `overrides` (the command line) win; `None` among them means not given.

    Raises ConfigurationError, with every fault in one sentence.
    """
    here = directory or Path.cwd()
    variables = _with_env_files(os.environ if environ is None else environ, here)
    chosen = config or (Path(variables[CONFIG_VARIABLE]) if CONFIG_VARIABLE in variables else None)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Settings.model_validate({**_from_file(chosen, here), **_from_variables(variables), **given})
    except ValidationError as error:
        raise ConfigurationError(_faults(error)) from None


def _from_file(chosen: Path | None, here: Path) -> dict[str, Any]:
    path = chosen or here / CONFIG_FILE
    if chosen is None and not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"The settings file {path} cannot be read: {reason}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The settings file {path} is not valid TOML: {error}.") from None


def _with_env_files(environ: Mapping[str, str], here: Path) -> dict[str, str]:
    """The environment over `.env` of the repository root over `.env` of the working directory."""
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    merged: dict[str, str] = {}
    for folder in (here, root):
        found = dotenv_values(folder / ".env", interpolate=False)
        merged |= {name: value for name, value in found.items() if value is not None}
    return merged | dict(environ)


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    useless = [name for name in WITHOUT_EFFECT if name in variables]
    if useless:
        reasons = "; ".join(f"{name} cannot act here, because {WITHOUT_EFFECT[name]}" for name in useless)
        raise ConfigurationError(f"{reasons}; unset it to start.")
    ours = {variable(name): name for name in Settings.model_fields}
    unknown = [name for name in variables if name.startswith(PREFIX) and name not in {*ours, *INTERNAL}]
    if unknown:
        print(f"holdfast: ignoring unknown settings: {', '.join(sorted(unknown))}", file=sys.stderr)
    # Our own names come last, so that they win over the names of the earlier systems.
    names = {**SEED_NAMES, **ours}
    return {setting: variables[name] for name, setting in names.items() if variables.get(name)}


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "Wrong settings: " + "; ".join(_fault(".".join(map(str, fault["loc"])), fault) for fault in faults) + "."


def _fault(name: str, fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return f"{name} is not a setting"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}" if name else reason


def _shown(name: str) -> str | None:
    """What to say of a default that is found out at start."""
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra["shown"]) if isinstance(extra, dict) and extra["shown"] is not None else None


def _default_text(name: str) -> str:
    """The default as it would be written in the environment; empty for one that is found out at start."""
    field = Settings.model_fields[name]
    default = field.default
    if field.default_factory is not None or default in (None, ()):
        return ""
    if isinstance(default, frozenset):
        return ",".join(sorted(default))
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def markdown() -> str:
    """The page `docs/guide/settings.md`."""
    rows = [
        f"| `{name}` | `{variable(name)}` | {_aliases(name)} | {_shown(name) or _code(_default_text(name))} "
        f"| {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    refused = [f"- `{name}` is refused at start: {reason}." for name, reason in WITHOUT_EFFECT.items()]
    return "\n".join([_PREAMBLE, *rows, "", "Names of the earlier systems that cannot act:", "", *refused, ""])


def env_example() -> str:
    """The file `.env.example`: every variable, commented out, with its default."""
    lines = ["# Copy to .env and remove the '#' of what you change. The environment wins over this file.", ""]
    for name, field in Settings.model_fields.items():
        shown, value = _shown(name), _default_text(name)
        lines += [f"# {field.description}" + (f" Default: {shown}." if shown else ""), f"#{variable(name)}={value}", ""]
    return "\n".join(lines)


def _aliases(setting: str) -> str:
    return ", ".join(_code(name) for name, means in SEED_NAMES.items() if means == setting)


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


_PREAMBLE = """# Settings

Generated by `holdfast settings --markdown`; do not edit.

Later sources win: defaults, `holdfast.toml` (in the working directory, or `--config`, or `HOLDFAST_CONFIG`), `.env` of
the repository root, the environment, the command line. A `.env` in the working directory comes before the one in the
root. An unknown key in the file or on the command line stops the start, an unknown `HOLDFAST_` variable is one warning.
Sizes are written like `256m` or in bytes, lists with commas in the environment and as arrays in the file.

| Setting | Variable | Also read as | Default | What it does |
|---|---|---|---|---|"""
