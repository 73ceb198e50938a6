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

REHEARSAL = f"""
import duckdb
ready = duckdb.connect({NAME!r}, config={CONFIG!r})
ready.sql("SELECT count(*) FROM (VALUES (1, 'a')) AS t (number, word)").limit(2).fetchall()
"""  # noqa: S608  # nothing here comes from outside
"""What a launcher does, and every cell once more while nobody waits."""
