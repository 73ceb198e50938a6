"""The tasks, and their events."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, Integer, String, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables of tasks and of their events."""
    op.create_table(
        "tasks",
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
    )
    op.create_index("tasks_of_owner", "tasks", ["owner", "seq"])
    op.create_index("tasks_by_status", "tasks", ["status", "seq"])
    op.create_index("tasks_by_delivery", "tasks", ["delivery", "delivery_at"])
    op.create_table(
        "task_events",
        Column("task_id", String(64), primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("type", String(16), nullable=False),
        Column("body", Text, nullable=False),
        Column("created_at", String(32), nullable=False),
    )


def downgrade() -> None:
    """Forget the tasks."""
    op.drop_table("task_events")
    op.drop_table("tasks")
