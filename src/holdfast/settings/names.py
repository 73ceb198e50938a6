"""What the earlier systems called their settings."""

from collections.abc import Mapping

SEED_NAMES: Mapping[str, str] = {
    "HOST": "host",
    "PORT": "port",
    "LOG_LEVEL": "log_level",
    "AUTH_TOKEN": "auth_token",
    "CODE_RUNNER_API_KEYS": "api_keys",
    "DEFAULT_TIMEOUT": "default_timeout",
    "MAX_TIMEOUT": "max_timeout",
    "DEFAULT_MEMORY": "default_memory",
    "MAX_MEMORY_MB": "max_memory_mb",
    "DEFAULT_CPU_SHARES": "default_cpu_shares",
    "MAX_CPU_CORES": "max_cpu_cores",
    "DEFAULT_DISK": "default_disk",
    "MAX_DISK_MB": "max_disk_mb",
    "DOCKER_SOCKET": "docker_socket",
    "CLEANUP_INTERVAL_HOURS": "cleanup_interval_hours",
    "CLEANUP_MAX_AGE_DAYS": "cleanup_max_age_days",
    "RUN_TIMEOUT_SECONDS": "data_timeout",
    "MAX_ROWS": "data_rows",
    "MAX_OUTPUT_BYTES": "data_output",
    "ENABLE_PYTHON_EXECUTION": "enable_python_execution",
    "STORAGE_PROVIDER": "store",
    "CAPSULE_DB_PATH": "store",
    "DATASETS_DIR": "datasets_dir",
    "LLM_PROVIDER": "llm_provider",
    "OPENAI_API_KEY": "openai_api_key",
    "OPENAI_MODEL": "openai_model",
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "ANTHROPIC_MODEL": "anthropic_model",
    "THREAD_HISTORY_WINDOW": "thread_history_window",
}
"""Names that operators of the earlier systems already have in their environments, and the setting each means."""

WITHOUT_EFFECT: Mapping[str, str] = {
    "RUNTIME_DIR": "languages run from this host's own toolchains, there are no image folders to read",
}
"""Names of the earlier systems that cannot act here: a server that ignored them would surprise."""
