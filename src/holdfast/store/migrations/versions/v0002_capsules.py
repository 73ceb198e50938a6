"""The capsules of data runs, whose rows are there before they have ended."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, Float, String, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of capsules, and let rows of runs be without an end."""
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("ended_at", existing_type=String(32), nullable=True)
    op.create_table(
        "capsules",
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
    )
    op.create_index("capsules_of_dataset", "capsules", ["dataset_id"])


def downgrade() -> None:
    """Forget the capsules, and runs that have not ended."""
    op.execute("DELETE FROM runs WHERE kind = 'data'")
    op.drop_table("capsules")
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("ended_at", existing_type=String(32), nullable=False)
