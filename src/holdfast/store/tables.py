"""The tables, as SQLAlchemy knows them; `migrations` is how a database gets there. Plain types, so that any one can."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64)),
    Column("key", String(64)),
    Column("image", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("code", String(64)),
    Column("exit_code", Integer),
    Column("usage", JSON(none_as_null=True)),
    Column("isolation", JSON(none_as_null=True)),
    Column("created_at", String(32), nullable=False),
    Column("ended_at", String(32)),
    Index("runs_of_owner", "owner", "seq"),
    Index("runs_by_end", "ended_at"),
)
"""`owner` is the digest of the key, for names are given again; times are ISO 8601 in UTC, which sort as text."""

capsules = Table(
    "capsules",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("dataset_id", Text, nullable=False),
    Column("dataset_version_hash", String(128), nullable=False),
    Column("question", Text),
    Column("query_mode", String(16), nullable=False),
    Column("plan_json", JSON(none_as_null=True)),
    Column("compiled_sql", Text),
    Column("python_code", Text),
    Column("result_json", JSON(none_as_null=True)),
    Column("error_json", JSON(none_as_null=True)),
    Column("exec_time_ms", Float),
    Column("stdout", JSON, nullable=False),
    Column("stderr", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("engine", String(32)),
    Column("limits", JSON(none_as_null=True)),
    Column("libraries", JSON, nullable=False),
    Column("result_hash", String(80)),
    Column("replay_of", String(64)),
    Column("size_bytes", BigInteger, nullable=False),
    Index("capsules_of_dataset", "dataset_id"),
)
"""What a row of `runs` lacks of a data run. Text that a program wrote is JSON, for it may hold what no text may."""

tasks = Table(
    "tasks",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("task_id", String(64), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("owner", String(64)),
    Column("key", String(64)),
    Column("status", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("workspace", JSON(none_as_null=True)),
    Column("secret_names", JSON, nullable=False),
    Column("request_id", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("worker", String(128)),
    Column("claim", String(64)),
    Column("lease_until", String(32)),
    Column("cancelling", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", JSON(none_as_null=True)),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("callback_url", Text),
    Column("delivery", String(16)),
    Column("delivered_seq", Integer, nullable=False),
    Column("sending_seq", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("delivery_attempts", Integer, nullable=False),
    Column("delivery_error", Text),
    Column("delivery_at", String(32)),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("ended_at", String(32)),
    Index("tasks_of_owner", "owner", "seq"),
    Index("tasks_by_status", "status", "seq"),
    Index("tasks_by_delivery", "delivery", "delivery_at"),
)
"""`claim` is the digest of who does it, `events` the number of the last event, `received` the last of a runner's own.

What is delivered reaches to `delivered_seq`; `sending_seq` is how far the callback that is being tried reaches.
"""

task_events = Table(
    "task_events",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)
"""`body` is JSON without what the other columns say."""

threads = Table(
    "threads",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("thread_id", String(64), nullable=False, unique=True),
    Column("owner", String(64)),
    Column("dataset_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("last_event", Integer, nullable=False),
    Column("running", BigInteger),
    Column("state", JSON, nullable=False),
    Index("threads_of_owner", "owner", "updated_at"),
    Index("threads_by_update", "updated_at"),
)
"""`running` is the id of the question that is being answered, `state` what the next turn has to know of the last."""

messages = Table(
    "thread_messages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("thread_id", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("dataset_id", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", JSON, nullable=False),
    Column("run_id", String(64)),
    Column("metadata", JSON, nullable=False),
    Index("messages_of_thread", "thread_id", "id"),
)
"""Contents are JSON, for a model may write what no text of a database may hold."""

chat_events = Table(
    "chat_events",
    metadata,
    Column("thread_id", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("turn_id", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)
