"""The runs."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, Integer, String

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table of runs."""
    op.create_table(
        "runs",
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
        Column("ended_at", String(32), nullable=False),
    )
    op.create_index("runs_of_owner", "runs", ["owner", "seq"])
    op.create_index("runs_by_end", "runs", ["ended_at"])


def downgrade() -> None:
    """Forget the runs."""
    op.drop_table("runs")
