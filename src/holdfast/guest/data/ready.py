"""The DuckDB that queries are asked in. To open one takes longer than most queries, so launchers have it open.

It is found by its name: where no launcher has made it, the same call makes it.
"""

NAME = ":memory:holdfast"
CONFIG = {
    "allow_community_extensions": "false",
    # Threads would not survive the fork that a cell begins with.
    "async_threads": "0",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "max_temp_directory_size": "0B",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "temp_directory": "",
    "threads": "1",
}

USUAL = {"memory_mib": 358, "threads": 1}
"""What a run gets that asks for nothing else: what is opened before the job comes is held to it already."""

REHEARSAL = f"""
import duckdb
ready = duckdb.connect({NAME!r}, config={CONFIG!r})
home = ready.sql("SELECT current_catalog()").fetchall()[0][0]
ready.execute("ATTACH ':memory:' AS rehearsal; USE rehearsal")
ready.execute("SET memory_limit = '1GiB'; SET threads = 1; SET TimeZone = 'UTC'")
ready.execute("CREATE TABLE words AS SELECT range AS number, 'a' AS letter FROM range(10)")
ready.sql("SELECT count(*) FROM words").limit(2).fetchall()
ready.sql("SELECT letter, count(*), sum(number) FROM words GROUP BY letter ORDER BY 2").limit(2).fetchall()
ready.execute(f"USE {{home}}; DETACH rehearsal")
"""  # noqa: S608  # nothing here comes from outside
"""What a launcher does, and every cell once more while nobody waits: what a query will write to is then its own."""
