"""What Postgres was asked during a load: its statements by frequency, for each step."""

import re

from tests.benchmarks.remit import Remit

PRELOADED = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
_SHOWN = 45
_QUERY = """
SELECT calls, total_exec_time, rows, query FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'remit') ORDER BY calls DESC, total_exec_time DESC LIMIT 60
"""


def reset(remit: Remit) -> None:
    """Count from now on."""
    remit.cluster.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    remit.execute("SELECT pg_stat_statements_reset()")


def statements(remit: Remit, steps: int) -> list[str]:
    """Calls a step, microseconds a step in Postgres, and the statement."""
    told = ["statements in Postgres: calls a step, µs a step, µs each"]
    for calls, milliseconds, _, query in remit.execute(_QUERY)[:_SHOWN]:
        text = re.sub(r"\s+", " ", query)[:150]
        told.append(f"{calls / steps:7.3f} {1e3 * milliseconds / steps:8.1f} {1e3 * milliseconds / calls:8.1f}  {text}")
    return told
