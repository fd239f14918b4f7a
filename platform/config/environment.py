"""What the environment says, read once by the settings."""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from foundation.persistence import POOL

# A connection whose other end has gone without a word (a host without power, a pulled cable) fails within half a
# minute; the system's own time limits are hours. Milliseconds for the last one, seconds for the others.
_LIVELY = {
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000",
}  # fmt: skip
# Where a row that is to be locked was changed meanwhile, PostgreSQL 18 checks it by a second plan, which leaves what
# prunes partitions while a statement runs pointing into freed memory: the server crashes. We find by key: it costs
# some look-ups.
_SAFE = "-c enable_partition_pruning=off"
ROOT = Path(__file__).resolve().parent.parent.parent


def data_directory() -> Path:
    """Where keys, logs and the embedded database live."""
    return Path(os.environ.get("REMIT_DATA_DIR", ROOT / "var")).resolve()


def flag(name: str, *, default: bool = False) -> bool:
    """A yes or no: 1, true and yes are yes."""
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes"}


def listing(name: str) -> tuple[str, ...]:
    """A comma-separated list, without empty parts."""
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())


def database(name: str, fallback: str = "") -> dict[str, Any]:
    """A Django database from a URL such as postgresql://role:password@host:5432/name?sslmode=require."""
    url = os.environ.get(name) or os.environ.get(fallback, "")
    parts = urlsplit(url)
    options: dict[str, Any] = _LIVELY | dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    options["options"] = f"{_SAFE} {options.get('options', '')}".strip()
    pool = int(os.environ.get("REMIT_POOL_SIZE", "0"))
    if pool:
        # Opened at first use, and so after a fork; a waiting request fails rather than hangs.
        options["pool"] = {"min_size": 0, "max_size": pool, "timeout": 10, "max_idle": 60, **POOL}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/") or "remit",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0 if pool else 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def email_server(url: str) -> dict[str, Any]:
    """A mail server from a URL such as smtp://name:password@host:587?tls=start; nothing from an empty one."""
    if not url:
        return {}
    parts = urlsplit(url)
    tls = dict(parse_qsl(parts.query)).get("tls", "start")
    if parts.scheme != "smtp" or not parts.hostname or tls not in {"start", "always", "no"}:
        raise ValueError("REMIT_EMAIL_URL: write smtp://name:password@host:587?tls=start (or tls=always, tls=no).")
    return {
        "host": parts.hostname, "port": parts.port or {"start": 587, "always": 465, "no": 25}[tls], "tls": tls,
        "user": unquote(parts.username or ""), "password": unquote(parts.password or ""),
    }  # fmt: skip


def django_key(keys: Path) -> str:
    """The key of sessions and signed cookies: from the environment, or a file made at first use with mode 0600."""
    if given := os.environ.get("REMIT_DJANGO_KEY"):
        return given
    path = keys / "django.key"
    try:
        return path.read_text()
    except FileNotFoundError:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(handle, "w") as file:
        file.write(key := secrets.token_urlsafe(48))
    return key
