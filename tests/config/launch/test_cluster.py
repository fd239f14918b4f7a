"""The embedded Postgres when all goes well."""

import json
import os
import socket
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from config.launch import postgres
from config.launch.cluster import Cluster
from config.launch.failure import LaunchError

pytestmark = pytest.mark.slow  # whole processes


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("pgmq://", "postgresql://"), autocommit=True)


def test_every_address_leads_to_its_own_role_in_the_database(cluster: Cluster) -> None:
    cluster.start()
    expected = {
        "DATABASE_URL": "remit_serving",
        "DATABASE_OWNER_URL": "remit_owner",
        "DATABASE_ENGINE_URL": "remit_engine",
        "DATABASE_SYSTEM_URL": "remit_system",
        "BROKER_URL": "remit_broker",
    }
    found = {}
    for name, url in cluster.environment().items():
        with connect(url) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
            assert row is not None
            found[name] = row[0]
            assert row[1] == "remit"
    assert found == expected
    assert cluster.environment()["BROKER_URL"].startswith("pgmq://")


def test_no_role_of_ours_is_a_superuser_or_passes_row_level_security(cluster: Cluster) -> None:
    cluster.start()
    rows = cluster.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'remit%' AND (rolsuper OR rolbypassrls OR rolreplication)"
    )
    assert rows == ""
    assert cluster.execute("SELECT rolname FROM pg_roles WHERE rolcreaterole AND NOT rolsuper") == "remit_owner"


@pytest.mark.parametrize("address", ["DATABASE_URL", "DATABASE_ENGINE_URL", "DATABASE_SYSTEM_URL", "BROKER_URL"])
def test_only_the_owner_may_create_tables(cluster: Cluster, address: str) -> None:
    cluster.start()
    with connect(cluster.environment()[address]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE public.mine (id int)")
    with connect(cluster.environment()["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE public.ours (id int)")


def test_a_wrong_or_missing_password_is_refused(cluster: Cluster) -> None:
    cluster.start()
    wrong = cluster.environment()["DATABASE_URL"].replace("remit_serving:", "remit_serving:not")
    for url in (wrong, f"postgresql://postgres@127.0.0.1:{cluster.port}/postgres"):
        with pytest.raises(psycopg.OperationalError):
            connect(url)


def test_our_roles_reach_no_other_database(cluster: Cluster) -> None:
    cluster.start()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(cluster.environment("postgres")["DATABASE_OWNER_URL"])


def test_it_listens_on_this_machine_only_and_has_no_socket_file(cluster: Cluster) -> None:
    cluster.start()
    assert cluster.execute("SHOW listen_addresses") == "127.0.0.1"
    assert cluster.execute("SHOW unix_socket_directories") == ""
    assert urlsplit(cluster.environment()["DATABASE_URL"]).hostname == "127.0.0.1"


def test_passwords_are_kept_for_us_alone_and_appear_nowhere_else(cluster: Cluster) -> None:
    cluster.start()
    file = cluster.directory.keys / "database.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    passwords = list(json.loads(file.read_text()).values())
    assert len(set(passwords)) == 6
    assert min(map(len, passwords)) >= 32
    with pytest.raises(psycopg.Error), connect(cluster.superuser_url()) as connection:
        connection.execute(f"ALTER ROLE remit_owner PASSWORD '{passwords[0]}' NONSENSE")
    shown = "".join(path.read_text() for path in cluster.directory.logs.iterdir())
    shown += subprocess.run(["ps", "-A", "-ww", "-o", "command="], capture_output=True, text=True).stdout
    assert not [password for password in passwords if password in shown]


def test_letters_of_all_languages_are_letters(cluster: Cluster) -> None:
    cluster.start()
    assert cluster.execute("SELECT lower('ÉÄŽ'), current_setting('server_encoding')") == "éäž|UTF8"


def test_a_copy_of_a_database_has_its_rows_and_the_same_doors(cluster: Cluster) -> None:
    cluster.start()
    with connect(cluster.environment()["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE thing AS SELECT 7 AS number")
    cluster.create_database("copy", template="remit")
    with connect(cluster.environment("copy")["DATABASE_OWNER_URL"]) as connection:
        assert connection.execute("SELECT number FROM thing").fetchone() == (7,)
    with connect(cluster.environment("copy")["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("copy",)
        cluster.drop_database("copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(cluster.environment("copy")["DATABASE_URL"])


def test_settings_of_the_caller_win(data_dir: Path) -> None:
    with Cluster(data_dir, settings={"fsync": "off", "max_connections": "33"}) as cluster:
        assert cluster.execute("SHOW max_connections") == "33"
        assert cluster.execute("SHOW fsync") == "off"


def test_by_default_nothing_acknowledged_can_be_lost(data_dir: Path) -> None:
    with Cluster(data_dir) as cluster:
        shown = [cluster.execute(f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")]
    assert shown == ["on", "on", "on"]


def test_a_second_start_finds_everything_again(data_dir: Path) -> None:
    with Cluster(data_dir, settings={"fsync": "off"}) as first:
        with connect(first.environment()["DATABASE_OWNER_URL"]) as connection:
            connection.execute("CREATE TABLE thing AS SELECT 7 AS number")
        passwords = (data_dir / "keys" / "database.json").read_text()
    with Cluster(data_dir, settings={"fsync": "off"}) as second:
        assert second.execute("SELECT number FROM thing", "remit") == "7"
    assert (data_dir / "keys" / "database.json").read_text() == passwords


def test_lost_passwords_are_made_anew(data_dir: Path) -> None:
    with Cluster(data_dir, settings={"fsync": "off"}):
        pass
    (data_dir / "keys" / "database.json").unlink()
    with Cluster(data_dir, settings={"fsync": "off"}) as again:
        for url in again.environment().values():
            connect(url).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_user_namespaces_are_missing_root_becomes_another_user(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WAYS_OF_ROOT", (postgres.NOBODY,))
    binary = postgres.find_binaries().path("postgres")
    if postgres.run([binary, "--version"], identity=postgres.NOBODY).returncode != 0:
        pytest.skip("this environment lies where other users cannot read")
    with Cluster(data_dir, settings={"fsync": "off"}) as cluster:
        assert cluster.execute("SELECT 1") == "1"
    assert (data_dir / "postgres").stat().st_uid == int(postgres.NOBODY)
    monkeypatch.undo()
    with Cluster(data_dir, settings={"fsync": "off"}) as cluster:
        assert cluster.execute("SELECT 1") == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_root_can_do_neither_it_says_so(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_such_user = str(2**32 - 1)
    monkeypatch.setattr(postgres, "WAYS_OF_ROOT", (no_such_user,))
    with pytest.raises(LaunchError, match=r"does not run as root.*start `up` as an ordinary user"):
        Cluster(data_dir, settings={"fsync": "off"}).start()
    assert not (data_dir / "postgres").exists()
    assert not (data_dir / "postgres.new").exists()


def test_the_next_start_has_the_same_port(cluster: Cluster) -> None:
    cluster.start()
    first = cluster.port
    cluster.stop()
    again = Cluster(cluster.directory.path, settings={"fsync": "off"})
    again.start()
    try:
        assert again.port == first
    finally:
        again.stop()


def test_a_port_that_somebody_took_is_left_to_them(cluster: Cluster) -> None:
    cluster.start()
    taken = cluster.port
    cluster.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen(1)
        again = Cluster(cluster.directory.path, settings={"fsync": "off"})
        again.start()
        try:
            assert again.port != taken
        finally:
            again.stop()
