"""Conversations: threads, their messages, and the events of their turns."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, Integer, String, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of conversations."""
    op.create_table(
        "threads",
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
    )
    op.create_index("threads_of_owner", "threads", ["owner", "updated_at"])
    op.create_index("threads_by_update", "threads", ["updated_at"])
    op.create_table(
        "thread_messages",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("thread_id", String(64), nullable=False),
        Column("created_at", String(32), nullable=False),
        Column("dataset_id", Text, nullable=False),
        Column("role", String(16), nullable=False),
        Column("content", JSON, nullable=False),
        Column("run_id", String(64)),
        Column("metadata", JSON, nullable=False),
    )
    op.create_index("messages_of_thread", "thread_messages", ["thread_id", "id"])
    op.create_table(
        "chat_events",
        Column("thread_id", String(64), primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("turn_id", BigInteger, nullable=False),
        Column("body", JSON, nullable=False),
    )


def downgrade() -> None:
    """Forget the conversations."""
    for table in ("chat_events", "thread_messages", "threads"):
        op.drop_table(table)
