"""`manage.py doctor`: quiet where all is well, exact where it is not."""

import re
from pathlib import Path

import pytest

from tests.config.own_database import OwnDatabase, make_database

HEARTBEATS = (
    "INSERT INTO runs_heartbeat (name, kind, seen_at) VALUES ('w', 'worker', now()), ('s', 'scheduler', now()) "
    "ON CONFLICT (name) DO UPDATE SET seen_at = now()"
)


@pytest.fixture
def own(tmp_path: Path) -> OwnDatabase:
    """A database in which worker and scheduler were just seen, and the keys are there."""
    own = make_database(tmp_path)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("sealing.key", "log.key"):
        (keys / name).write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
        (keys / name).chmod(0o600)
    own.as_superuser(HEARTBEATS)
    return own


def wrong(said: str) -> dict[str, str]:
    """What is wrong, by name."""
    return dict(re.findall(r"^WRONG  ([^:]+): (.+)$", said, re.MULTILINE))


def test_sound_installation(own: OwnDatabase) -> None:
    """Every line begins with ok; nothing is changed."""
    answer = own.manage("doctor")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) >= 18
    assert all(line.startswith("ok     ") for line in lines)


def test_a_key_that_was_not_used_yet_is_no_fault_and_one_that_was_is_missed(own: OwnDatabase) -> None:
    """A new installation has sealed and signed nothing; where something is sealed, a lost key is a loss."""
    for name in ("sealing.key", "log.key"):
        (own.data / "keys" / name).unlink()
    answer = own.manage("doctor")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count("is made at first use") == 2
    own.as_superuser(
        "INSERT INTO audit_checkpoint (log, size, root_hash, note) "
        "VALUES ('00000000-0000-0000-0000-000000000000', 1, '', 'n')",
        "SET session_replication_role = replica; INSERT INTO tools_credential (id, organisation_id, name, "
        "sealed) VALUES (gen_random_uuid(), gen_random_uuid(), 'c', 'x')",
    )
    own.as_superuser(HEARTBEATS)
    found = wrong(own.manage("doctor").stdout)
    assert set(found) == {"sealing.key", "log.key"}
    assert all("restore it from the backup" in said for said in found.values())


@pytest.mark.slow
def test_a_key_that_nothing_was_made_with_is_not_missed(own: OwnDatabase) -> None:
    """As on a new installation without the sample. Once something is sealed, the key is part of the data."""
    for name in ("sealing.key", "log.key"):
        (own.data / "keys" / name).unlink()
    answer = own.manage("doctor")
    assert (answer.returncode, wrong(answer.stdout)) == (0, {})
    assert "ok     sealing.key: is made at first use\n" in answer.stdout
    assert own.manage("seed_sample").returncode == 0
    (own.data / "keys" / "sealing.key").unlink()
    assert "restore it from the backup" in wrong(own.manage("doctor").stdout)["sealing.key"]


@pytest.mark.slow
def test_what_is_wrong_is_named_with_what_to_do(own: OwnDatabase) -> None:
    """Many faults at once, each found."""
    own.as_superuser(
        "ALTER TABLE registry_agent NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE identity_apikey DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_auditentry DISABLE TRIGGER USER",
        "GRANT UPDATE ON budgets_ledgerentry TO remit_serving",
        "DELETE FROM runs_heartbeat WHERE kind = 'worker'",
        "UPDATE runs_heartbeat SET seen_at = now() - interval '5 minutes'",
        "INSERT INTO audit_checkpoint (log, size, root_hash, note) VALUES (gen_random_uuid(), 1, '', 'signed')",
        "DELETE FROM django_migrations WHERE app = 'runs' AND name = '0003_doorbell'",
        "DO $$ DECLARE part text := (SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname "
        "LIKE 'runs\\_step\\_2%' ORDER BY 1 LIMIT 1); BEGIN EXECUTE 'GRANT SELECT ON ' || part || ' TO remit_engine'; "
        "EXECUTE 'DROP TABLE ' || (SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname "
        "LIKE 'runs\\_event\\_2%' ORDER BY 1 LIMIT 1); END $$",
    )
    (own.data / "keys" / "sealing.key").chmod(0o644)
    (own.data / "keys" / "log.key").unlink()
    own.as_superuser(
        "INSERT INTO audit_checkpoint (log, size, root_hash, note) "
        "VALUES ('00000000-0000-0000-0000-000000000000', 1, '', 'n')"
    )
    (own.data / "keys").chmod(0o755)
    broker = own.environment["BROKER_URL"].replace("remit_broker:", "remit_broker:no")
    answer = own.manage("doctor", BROKER_URL=broker, DATABASE_ENGINE_URL=own.environment["DATABASE_OWNER_URL"])
    assert answer.returncode == 1
    found = wrong(answer.stdout)
    expected = {
        "row-level security": "identity_apikey, registry_agent",
        "append-only tables": "audit_auditentry, budgets_ledgerentry",
        "partitions": "runs_step_2",
        "months to come": "runs_event_2",
        "migrations": "runs.0003_doorbell",
        "worker": "never seen",
        "scheduler": "s ago (1 in the last hour)",
        "sealing.key": "chmod 600",
        "log.key": "restore it",
        "keys": "chmod 700",
        "broker": "does not answer",
        "role of DATABASE_ENGINE_URL": "makes roles and owns",
        "four roles": "the same role",
    }
    assert {name: said in found.get(name, "") for name, said in expected.items()} == dict.fromkeys(expected, True)
    assert set(found) == set(expected)


def test_superuser_is_found_out(own: OwnDatabase) -> None:
    """Whoever serves as a superuser has no row-level security at all."""
    with_superuser = own.environment["DATABASE_URL"].replace("remit_serving", "remit_wrong")
    own.as_superuser("DROP ROLE IF EXISTS remit_wrong", "CREATE ROLE remit_wrong LOGIN SUPERUSER BYPASSRLS")
    try:
        password = with_superuser.partition("remit_wrong:")[2].partition("@")[0]
        own.as_superuser(f"ALTER ROLE remit_wrong PASSWORD '{password}'")
        found = wrong(own.manage("doctor", DATABASE_URL=with_superuser).stdout)
        assert "is a superuser and passes row-level security" in found["role of DATABASE_URL"]
    finally:
        own.as_superuser("DROP ROLE remit_wrong")


def test_unreachable_database_is_one_line(own: OwnDatabase) -> None:
    """And no traceback; the password is not repeated. What needs no database is looked at nevertheless."""
    password = own.environment["DATABASE_URL"].partition("remit_serving:")[2].partition("@")[0]
    answer = own.manage("doctor", DATABASE_URL=own.environment["DATABASE_URL"].replace(own.name, "nonesuch"))
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert password not in answer.stdout + answer.stderr
    found = wrong(answer.stdout)
    assert set(found) == {"postgres"}
    assert "manage.py up" in found["postgres"]
    assert "ok     disk" in answer.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("seed_sample",),
        ("sign_in_link", "--first-administrator"),
        ("create_api_key", "--email", "a@b.example"),
        ("submit", "--team", "t", "f"),
    ],
)
@pytest.mark.slow
def test_commands_say_in_one_line_that_nothing_runs(own: OwnDatabase, command: tuple[str, ...]) -> None:
    """And what to do."""
    away = {f"DATABASE_{name}URL": "postgresql://nobody@127.0.0.1:9/none" for name in ("", "OWNER_", "SYSTEM_")}
    answer = own.manage(*command, **away)
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "manage.py up" in answer.stderr


@pytest.mark.slow
def test_a_database_without_tables_is_named_and_commands_say_so_in_one_line(own: OwnDatabase) -> None:
    """As between `createdb` and the end of the migrations, or of a restore."""
    own.as_superuser("DROP SCHEMA public, pgmq CASCADE", "CREATE SCHEMA public")
    answer = own.manage("doctor")
    assert answer.returncode == 1
    assert "manage.py migrate --database owner" in wrong(answer.stdout)["migrations"]
    assert "does not answer" in wrong(answer.stdout)["broker"]
    answer = own.manage("verify_record")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert "`manage.py migrate --database owner`" in answer.stderr
