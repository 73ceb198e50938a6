"""The tables, as SQLAlchemy knows them; `migrations` is how a database gets there. Plain types, so that any one can."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, String, Table

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
    Column("ended_at", String(32), nullable=False),
    Index("runs_of_owner", "owner", "seq"),
    Index("runs_by_end", "ended_at"),
)
"""`owner` is the digest of the key, for names are given again; times are ISO 8601 in UTC, which sort as text."""
