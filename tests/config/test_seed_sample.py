"""`manage.py seed_sample`."""

import json
from pathlib import Path

import psycopg
import pytest

from config.sample.definition import SAMPLE
from tests.config.own_database import OwnDatabase, make_database

MAILS = sorted(SAMPLE.mails.glob("*.eml"))


@pytest.mark.slow
def test_sample_is_complete(seeded: OwnDatabase) -> None:
    """People, models with prices, connectors, active agents with versions, policies in force, budgets."""
    agents = seeded.rows(
        "SELECT a.slug, a.state, v.number FROM registry_agent a JOIN registry_agentversion v ON v.id = a.serving_id"
    )
    assert {slug: (state, number) for slug, state, number in agents} == {
        agent.slug: ("active", 1) for agent in SAMPLE.agents
    }
    counts = {
        "identity_membership": len(SAMPLE.people),
        "catalogue_price": len(SAMPLE.provider.models),
        "tools_connector": len(SAMPLE.connectors),
        "policies_policy": len(SAMPLE.policies),
        "budgets_budget": len(SAMPLE.budgets),
    }
    for table, number in counts.items():
        assert seeded.rows(f"SELECT count(*) FROM {table}") == [(number,)], table
    assert seeded.rows("SELECT count(*) FROM tools_tool WHERE state <> 'active'") == [(0,)]


def test_the_first_to_sign_in_reads_everything(seeded: OwnDatabase) -> None:
    """Also the bodies that elsewhere only somebody reads whom another has named."""
    rows = seeded.rows(
        "SELECT g.role FROM access_grant g JOIN identity_membership m ON m.principal_id = g.principal_id "
        f"JOIN identity_user u ON u.id = m.user_id WHERE u.email = '{SAMPLE.administrator}'"
    )
    assert {role for (role,) in rows} == {"administrator", "operator", "auditor"}


def test_every_mail_is_a_run(seeded: OwnDatabase) -> None:
    """Of the front agent, rehearsed, its input untrusted."""
    rows = seeded.rows(
        "SELECT a.slug, r.rehearsed, r.input_label->>'integrity', r.title FROM runs_run r "
        "JOIN registry_agent a ON a.id = r.agent_id WHERE r.source = 'sample'"
    )
    assert len(rows) == len(MAILS) >= 12
    assert {row[:3] for row in rows} == {(SAMPLE.front_agent, True, "untrusted")}
    assert "Espresso machine - refund please (NW-10052)" in {row[3] for row in rows}


def test_bells_were_rung(seeded: OwnDatabase) -> None:
    """In the broker of this installation."""
    assert seeded.rows("SELECT count(*) >= %d FROM pgmq.q_remit" % len(MAILS), "OWNER") == [(True,)]  # noqa: UP031


def test_nobody_has_a_password(seeded: OwnDatabase) -> None:
    """There is no default one."""
    assert seeded.rows("SELECT count(*) FROM identity_user WHERE password NOT LIKE '!%'") == [(0,)]


def test_shops_credentials_are_sealed(seeded: OwnDatabase) -> None:
    """And stand nowhere else: neither in the record nor in settings."""
    sealed = [row[0] for row in seeded.rows("SELECT sealed FROM tools_credential")]
    assert len(sealed) == 2
    assert all(token.startswith("v1.") and "remit_sample" not in token for token in sealed)
    everything = json.dumps([*seeded.rows("SELECT details::text, reason FROM audit_auditentry"),
                             *seeded.rows("SELECT settings::text FROM tools_connector")])  # fmt: skip
    assert "password=" not in everything


def test_record_says_who_made_it(seeded: OwnDatabase) -> None:
    """Everything came through the services."""
    actions = dict(seeded.rows("SELECT action, count(*) FROM audit_auditentry GROUP BY 1"))
    assert actions["person.add"] == len(SAMPLE.people)
    assert actions["run.start"] == len(MAILS)
    assert actions["agent.activate"] == len(SAMPLE.agents)
    assert seeded.rows("SELECT DISTINCT actor_name, method FROM audit_auditentry WHERE action = 'agent.create'") == [
        ("shell", "shell")
    ]


@pytest.mark.slow
def test_second_time_makes_nothing_but_follows_the_model(tmp_path: Path) -> None:
    """Whose port may have changed. `--no-runs` leaves the work to the operator."""
    own = make_database(tmp_path)
    first = own.manage("seed_sample", "--no-runs")
    assert first.returncode == 0, first.stderr
    before = own.rows("SELECT count(*) FROM audit_auditentry")
    assert "nothing was made" in own.manage("seed_sample").stdout
    assert own.rows("SELECT count(*) FROM audit_auditentry") == before
    own.manage("seed_sample", REMIT_REHEARSAL_URL="http://127.0.0.1:29124/v1")
    assert own.rows("SELECT base_url FROM catalogue_provider") == [("http://127.0.0.1:29124/v1",)]
    assert own.rows("SELECT count(*) FROM runs_run") == [(0,)]


@pytest.mark.slow
def test_without_a_model_nothing_is_left_half_done(tmp_path: Path) -> None:
    """One clear line."""
    own = make_database(tmp_path)
    refused = own.manage("seed_sample", REMIT_REHEARSAL_URL="")
    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines() == [
        "CommandError: The rehearsal model has no address: start it with `manage.py up`, or set REMIT_REHEARSAL_URL."
    ]
    assert own.rows("SELECT count(*) FROM organisations_organisation") == [(0,)]


@pytest.mark.slow
def test_credentials_stay_while_the_shop_stays(seeded: OwnDatabase) -> None:
    """A second start in the same place changes nothing."""
    before = seeded.rows("SELECT id, sealed FROM tools_credential ORDER BY id")
    assert seeded.manage("seed_sample").returncode == 0
    assert seeded.rows("SELECT id, sealed FROM tools_credential ORDER BY id") == before


@pytest.mark.slow
def test_credentials_follow_the_shop_to_another_port(tmp_path: Path) -> None:
    """What was sealed leads nowhere any more: new passwords, sealed anew, in the record."""
    moved = make_database(tmp_path)
    assert moved.manage("seed_sample", "--no-runs").returncode == 0
    before = moved.rows("SELECT id, sealed FROM tools_credential ORDER BY id")
    with psycopg.connect(moved.environment["DATABASE_SYSTEM_URL"]) as connection:
        connection.execute("UPDATE tools_credential SET sealed = 'v1.gone.x'")
    done = moved.manage("seed_sample")
    assert done.returncode == 0, done.stderr
    after = moved.rows("SELECT id, sealed FROM tools_credential ORDER BY id")
    assert [row[0] for row in after] == [row[0] for row in before]
    assert {row[1] for row in after}.isdisjoint({"v1.gone.x", *(row[1] for row in before)})
    assert moved.rows("SELECT count(*) FROM audit_auditentry WHERE action = 'credential.replace'") == [(2,)]
