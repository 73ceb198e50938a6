"""Settings: which source wins, what is refused, and that the documentation is complete."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.app import bounds, is_loopback, open_keys, refuse_an_open_door
from holdfast.errors import ConfigurationError
from holdfast.settings import SEED_NAMES, WITHOUT_EFFECT, Settings, env_example, load_settings, markdown, variable

ROOT = Path(__file__).parents[2]


def load(here: Path, environ: dict[str, str] | None = None, config: Path | None = None, **overrides: Any) -> Settings:
    return load_settings(overrides, environ=environ or {}, directory=here, config=config)


def test_later_sources_win(tmp_path: Path) -> None:
    assert load(tmp_path).port == 8000
    (tmp_path / "holdfast.toml").write_text("port = 1")
    assert load(tmp_path).port == 1
    (tmp_path / ".env").write_text("HOLDFAST_PORT=2")
    assert load(tmp_path).port == 2
    assert load(tmp_path, {"HOLDFAST_PORT": "3"}).port == 3
    assert load(tmp_path, {"HOLDFAST_PORT": "3"}, port=4).port == 4
    assert load(tmp_path, {"HOLDFAST_PORT": "3"}, port=None).port == 3


def test_the_env_file_of_the_repository_root_comes_before_that_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    below = tmp_path / "below"
    below.mkdir()
    (below / ".env").write_text("HOLDFAST_PORT=1\nHOLDFAST_QUEUE=7\n")
    (tmp_path / ".env").write_text("HOLDFAST_PORT=2\n")
    settings = load(below)
    assert (settings.port, settings.queue) == (2, 7)


@pytest.mark.parametrize("name", SEED_NAMES)
def test_the_names_of_the_earlier_systems_work_and_ours_win(name: str, tmp_path: Path) -> None:
    values = {"HOST": ("127.0.0.2", "127.0.0.3"), "LOG_LEVEL": ("DEBUG", "error"), "DOCKER_SOCKET": ("/a", "/b")}
    values |= {"AUTH_TOKEN": ("a", "b"), "CODE_RUNNER_API_KEYS": ("a,c", "b"), "DEFAULT_MEMORY": ("32m", "64m")}
    values |= {"DEFAULT_DISK": ("32m", "64m")}
    values |= dict.fromkeys(("STORAGE_PROVIDER", "CAPSULE_DB_PATH"), ("/a.db", "postgresql:///b"))
    values |= {"ENABLE_PYTHON_EXECUTION": ("false", "true"), "LLM_PROVIDER": ("off", "openai")}
    values |= dict.fromkeys(("RUN_TIMEOUT_SECONDS", "MAX_ROWS"), ("31", "32"))
    theirs, ours = values.get(name, ("31", "32") if name.startswith("DEFAULT") else ("4000", "4001"))
    setting = SEED_NAMES[name]
    default, by_alias = load(tmp_path), load(tmp_path, {name: theirs})
    both = load(tmp_path, {name: theirs, variable(setting): ours})
    assert getattr(default, setting) != getattr(by_alias, setting)
    assert getattr(by_alias, setting) != getattr(both, setting)
    assert getattr(both, setting) == getattr(load(tmp_path, {variable(setting): ours}), setting)


def test_an_unknown_key_in_the_file_or_on_the_command_line_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="portt is not a setting"):
        load(tmp_path, portt=1)
    (tmp_path / "holdfast.toml").write_text("prot = 1")
    with pytest.raises(ConfigurationError, match="prot is not a setting"):
        load(tmp_path)


def test_an_unknown_variable_with_our_prefix_is_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, {"HOLDFAST_A": "1", "HOLDFAST_B": "2", "OTHER": "3", "MAX_ROWS": "4"})
    assert capsys.readouterr().err == "holdfast: ignoring unknown settings: HOLDFAST_A, HOLDFAST_B\n"


def test_a_name_that_cannot_act_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="RUNTIME_DIR"):
        load(tmp_path, {"RUNTIME_DIR": "/x"})


def test_contradictions_are_listed_all_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, {"DEFAULT_TIMEOUT": "500", "DEFAULT_MEMORY": "4g", "HOLDFAST_DEFAULT_PROCESSES": "1000"})
    for pair in ("default_timeout", "default_memory", "default_processes"):
        assert f"{pair} must not be above max_" in caught.value.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("DEFAULT_TIMEOUT", "-1"),
        ("DEFAULT_TIMEOUT", "inf"),
        ("DEFAULT_MEMORY", "much"),
        ("HOLDFAST_ENGINE", "unisolated"),
        ("HOLDFAST_ISOLATION_FLOOR", "namespaces,magic"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_setting_and_not_the_value(
    name: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, {name: value})
    assert SEED_NAMES.get(name, name.removeprefix("HOLDFAST_").lower()) in caught.value.detail


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = load(tmp_path, {"AUTH_TOKEN": "hunter2", "CODE_RUNNER_API_KEYS": "hunter3,hunter4"})
    assert "hunter" not in repr(settings) + settings.model_dump_json()


def test_a_settings_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    for content in (b"port =", b"\xff"):
        (tmp_path / "own.toml").write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"own\.toml"):
            load(tmp_path, config=tmp_path / "own.toml")
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path, config=tmp_path / "missing.toml")
    (tmp_path / "own.toml").write_text('isolation_floor = ["seccomp"]\ndefault_memory = "128m"')
    settings = load(tmp_path, {"HOLDFAST_CONFIG": str(tmp_path / "own.toml")})
    assert (settings.isolation_floor, settings.default_memory) == (frozenset({"seccomp"}), 128 << 20)


def test_the_bounds_of_runs_come_from_the_settings(tmp_path: Path) -> None:
    found = bounds(load(tmp_path, {"DEFAULT_TIMEOUT": "7", "MAX_MEMORY_MB": "512", "MAX_CPU_CORES": "0.5"}))
    assert found.defaults.wall_seconds == 7
    assert found.ceilings.memory_bytes == 512 << 20
    assert found.defaults.cpus == 0.5, "a silent run gets no more processors than one may ask for"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_key(host: str, tmp_path: Path) -> None:
    settings = load(tmp_path, host=host, state_dir=tmp_path)
    assert is_loopback(host)
    refuse_an_open_door(settings, open_keys(settings))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_any_other_address_is_refused_without_a_key_and_fine_with_one(host: str, tmp_path: Path) -> None:
    settings = load(tmp_path, host=host, state_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="holdfast keys add"):
        refuse_an_open_door(settings, open_keys(settings))
    open_keys(settings).add("first")
    refuse_an_open_door(settings, open_keys(settings))


def test_env_example_and_the_guide_list_every_setting() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), "run: holdfast settings > .env.example"
    guide = ROOT / "docs" / "guide" / "settings.md"
    assert guide.read_text() == markdown(), f"run: holdfast settings --markdown > {guide.name}"
    for name in Settings.model_fields:
        assert variable(name) in env_example()


def test_what_env_example_shows_can_be_uncommented(tmp_path: Path) -> None:
    lines = [line.removeprefix("#") for line in env_example().splitlines() if line.startswith("#HOLDFAST_")]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / "empty").mkdir()
    assert load(tmp_path) == load(tmp_path / "empty")


SEED_VARIABLES = (
    *("HOST", "PORT", "LOG_LEVEL", "DEFAULT_TIMEOUT", "MAX_TIMEOUT", "DEFAULT_MEMORY", "MAX_MEMORY_MB"),
    *("DEFAULT_CPU_SHARES", "MAX_CPU_CORES", "DEFAULT_DISK", "MAX_DISK_MB", "DOCKER_SOCKET", "AUTH_TOKEN"),
    *("CODE_RUNNER_API_KEYS", "CLEANUP_INTERVAL_HOURS", "CLEANUP_MAX_AGE_DAYS", "RUNTIME_DIR"),
)
"""Every variable of the code runner's README; PyQuest's runner reads none."""

OTHERS = {"HOST": "::1", "LOG_LEVEL": "error", "DEFAULT_MEMORY": "64m", "DEFAULT_DISK": "64m", "DOCKER_SOCKET": "/x"}
OTHERS |= {"MAX_MEMORY_MB": "600", "MAX_DISK_MB": "600"}


@pytest.mark.parametrize("name", SEED_VARIABLES)
def test_every_name_of_the_earlier_systems_has_an_effect_or_refuses_to_start(name: str, tmp_path: Path) -> None:
    value = OTHERS.get(name, "31")
    if name in WITHOUT_EFFECT:
        with pytest.raises(ConfigurationError, match=f"{name} cannot act here.*unset it"):
            load_settings(environ={name: value}, directory=tmp_path)
        return
    changed = load_settings(environ={name: value}, directory=tmp_path)
    assert changed != load_settings(environ={}, directory=tmp_path)


@pytest.mark.parametrize("rate", ["10", "0/minute", "10/year", "many/minute", ""])
def test_a_rate_that_is_none_is_refused(rate: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="key_rate: write a number per second, minute or hour"):
        load_settings({"key_rate": rate}, environ={}, directory=tmp_path)
