"""What Postgres was asked during a load: its statements by frequency, for each step."""

from tests.benchmarks.remit import Remit

PRELOADED = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_planning": "on",
}
_SHOWN = 45
_QUERY = """
SELECT calls, total_exec_time, total_plan_time, wal_bytes::bigint, query FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'remit') ORDER BY calls DESC, total_exec_time DESC LIMIT 60
"""


def reset(remit: Remit) -> None:
    """Count from now on."""
    remit.cluster.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    remit.execute("SELECT pg_stat_statements_reset()")


def statements(remit: Remit, steps: int) -> list[str]:
    """Calls a step; execution (waits for locks included), planning and journal a step; and the statement."""
    told = ["statements in Postgres, a step: calls, µs executing, µs planning, bytes of WAL"]
    for calls, executing, planning, wal, query in remit.execute(_QUERY)[:_SHOWN]:
        each = f"{calls / steps:7.3f} {1e3 * executing / steps:8.1f} {1e3 * planning / steps:8.1f} {wal / steps:7.0f}"
        told.append(f"{each}  {' '.join(query.split())[:150]}")
    return told
