"""Logs and metrics. Code, stdin, environment values and keys never get here: callers pass names and numbers only."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


_TALKATIVE = ("anthropic", "httpcore", "httpx", "openai")
"""Libraries that log the addresses of callbacks, and with DEBUG what a model is asked."""


def configure_logging(level: str, log_format: str) -> None:
    """Write logs to stderr, as JSON lines or for a human; libraries that use `logging` go the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class Metrics:
    """Every number Holdfast publishes, in a registry of its own. Labels come from closed lists, never from callers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter(
            "holdfast_runs", "Runs that ended, by language and status.", ["language", "status"], registry=self.registry
        )
        self.run_seconds = Histogram(
            "holdfast_run_seconds",
            "Wall time of programs.",
            ["language"],
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self.setup_seconds = Histogram(
            "holdfast_setup_seconds", "Time to make a sandbox.", buckets=_DURATIONS, registry=self.registry
        )
        self.queue_seconds = Histogram(
            "holdfast_queue_seconds", "Time a run waited for a place.", buckets=_DURATIONS, registry=self.registry
        )
        self.rejected = Counter(
            "holdfast_rejected", "Requests answered with a problem, by its code.", ["code"], registry=self.registry
        )
        self.gradings = Counter(
            "holdfast_gradings",
            "Submissions that were graded, by whether all passed.",
            ["passed"],
            registry=self.registry,
        )
        self.rows_dropped = Counter(
            "holdfast_rows_dropped", "Rows of runs that could not be written.", registry=self.registry
        )
        self.builds = Counter("holdfast_builds", "Prebuilds, by success.", ["ready"], registry=self.registry)
        self.running = Gauge("holdfast_running", "Runs that hold a place now.", registry=self.registry)
        self.queued = Gauge("holdfast_queued", "Runs that wait for a place now.", registry=self.registry)
        self.sessions = Gauge("holdfast_sessions", "Sessions that are open now.", registry=self.registry)
        self.sessions_lost = Counter(
            "holdfast_sessions_lost", "Sessions that ended before they were deleted.", registry=self.registry
        )
        self._count_engine()
        self._count_tasks()

    def _count_engine(self) -> None:
        self.pool_stock = Gauge("holdfast_pool_stock", "Sandboxes that wait for a run.", registry=self.registry)
        self.pool_taken = Counter(
            "holdfast_pool_taken",
            "Runs that found a sandbox ready, and that did not.",
            ["found"],
            registry=self.registry,
        )
        self.launcher_restarts = Counter(
            "holdfast_launcher_restarts", "Launchers that had to be started again.", registry=self.registry
        )
        self.engine_events = Counter(
            "holdfast_engine_events", "What the engine reported, by kind.", ["event"], registry=self.registry
        )

    def _count_tasks(self) -> None:
        self.tasks = Counter("holdfast_tasks", "Tasks that ended, by status.", ["status"], registry=self.registry)
        self.tasks_queued = Gauge("holdfast_tasks_queued", "Tasks that wait for a worker.", registry=self.registry)
        self.tasks_running = Gauge("holdfast_tasks_running", "Tasks that a worker has now.", registry=self.registry)
        self.callbacks = Counter(
            "holdfast_callbacks", "Callbacks of tasks, by what became of them.", ["outcome"], registry=self.registry
        )
        self.runners = Gauge(
            "holdfast_runners", "Runners elsewhere that are registered.", ["state"], registry=self.registry
        )
        self.runners_wanted = Gauge(
            "holdfast_runners_wanted", "Runners elsewhere that would have a task now.", registry=self.registry
        )

    def engine_event(self, event: str) -> None:
        """Count something the engine reports, such as `launcher_restart`."""
        self.engine_events.labels(event).inc()
        if event == "launcher_restart":
            self.launcher_restarts.inc()

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
