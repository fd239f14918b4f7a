"""The first start: a new Postgres data directory with Remit's roles and database, whole or not at all."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from config.launch import postgres
from config.launch.directory import DataDirectory, read_json, write_private
from config.launch.failure import LaunchError
from config.launch.postgres import Binaries

SUPERUSER = "postgres"
DATABASE = "remit"
# remit_owner runs the migrations and may make roles; nobody here is a superuser or passes row-level security.
ROLES = {
    "remit_owner": "CREATEROLE",
    "remit_serving": "",
    "remit_engine": "",
    "remit_system": "",
    "remit_broker": "",
}
SPACE_FOR_A_NEW_ONE = 150 * 1024 * 1024  # bytes; initdb writes 40 MB, the first migrations as much again
_ACCESS_RULES = (
    "# Written by Remit: passwords only, over TCP on this machine only.\nhost all all 127.0.0.1/32 scram-sha-256\n"
)


def passwords(directory: DataDirectory) -> tuple[dict[str, str], bool]:
    """The passwords of all roles by name, and whether some had to be made now."""
    file = directory.keys / "database.json"
    known = read_json(file)
    if known is None and file.exists():
        raise LaunchError(
            f"{file} cannot be read: restore it from the backup, or remove it to have new passwords made."
        )
    complete = {name: str((known or {}).get(name) or secrets.token_urlsafe(24)) for name in (SUPERUSER, *ROLES)}
    if complete == known:
        return complete, False
    write_private(file, "{\n" + ",\n".join(f'  "{name}": "{value}"' for name, value in complete.items()) + "\n}\n")
    return complete, True


def make(directory: DataDirectory, binaries: Binaries, words: Mapping[str, str], *, durable: bool) -> None:
    """Make `postgres/` beside its place and move it there when it is complete. Raises LaunchError."""
    if shutil.disk_usage(directory.path).free < SPACE_FOR_A_NEW_ONE:
        raise postgres.disk_full(directory.path)
    draft = directory.path / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    identity = postgres.identity_for(directory.postgres, binaries)
    try:
        draft.mkdir(mode=0o700)
        postgres.hand_over(draft, identity)
        _run_initdb(draft, binaries, identity, durable=durable)
        (draft / "pg_hba.conf").write_text(_ACCESS_RULES)
        set_up_roles(draft, binaries, identity, words, durable=durable)
        draft.rename(directory.postgres)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _run_initdb(draft: Path, binaries: Binaries, identity: str, *, durable: bool) -> None:
    # The builtin C.UTF-8 knows letters of all languages and does not depend on the machine's locales. `trust` never
    # serves anybody: the access rules are replaced before the server first listens.
    command = [
        binaries.path("initdb"), "-D", str(draft), "-U", SUPERUSER, "--encoding=UTF8", "--auth=trust",
        "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
    ]  # fmt: skip
    answer = postgres.run([*command, *([] if durable else ["--no-sync"])], identity=identity)
    _refuse_unless_done(answer.returncode, answer.stdout, draft.parent)


def set_up_roles(data: Path, binaries: Binaries, identity: str, words: Mapping[str, str], *, durable: bool) -> None:
    """Create what is missing of roles and database and set all passwords, in a server without network."""
    # One line is one statement there, and standard input keeps the passwords out of the process list.
    statements = [f"ALTER ROLE {SUPERUSER} PASSWORD {literal(words[SUPERUSER])}"]
    for role, attributes in ROLES.items():
        statements.append(f"DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF; END $$")
        statements.append(f"ALTER ROLE {role} LOGIN {attributes} PASSWORD {literal(words[role])}")
    # Migrations give functions to the system role and queues to the broker: the owner must be a member of both.
    statements.append("GRANT remit_system, remit_broker TO remit_owner")
    if not (data / "remit.made").exists():
        statements += ["REVOKE CREATE ON SCHEMA public FROM PUBLIC", *create_database_statements(DATABASE, None)]
        statements += [f"REVOKE ALL ON DATABASE {name} FROM PUBLIC" for name in ("postgres", "template1")]
    settings = {
        "exit_on_error": "on",
        "log_min_error_statement": "panic",  # a failing statement would be logged with its password
        "fsync": "on" if durable else "off",
    }
    command = [binaries.path("postgres"), "--single", "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    answer = postgres.run([*command, "template1"], identity=identity, given="\n".join(statements) + "\n")
    _refuse_unless_done(answer.returncode, answer.stdout, data.parent)
    (data / "remit.made").touch()


def create_database_statements(name: str, template: str | None) -> list[str]:
    """A database of remit_owner that only Remit's roles may connect to."""
    source = f" TEMPLATE {identifier(template)}" if template else ""
    return [
        f"CREATE DATABASE {identifier(name)} OWNER remit_owner{source}",
        f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {identifier(name)} TO {', '.join(ROLES)}",
    ]


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _refuse_unless_done(code: int, output: str, place: Path) -> None:
    if code == 0:
        return
    if postgres.DISK_FULL in output:
        raise postgres.disk_full(place)
    raise LaunchError(f"Postgres could not be set up in {place}: {postgres.last_line(output)}")
