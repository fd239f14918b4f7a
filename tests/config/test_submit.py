"""`manage.py submit`."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from agents.registry.models import Agent
from agents.registry.services import activate_agent, publish_version, serve_version
from agents.runs.models import Run
from tests.agents.workshop import Workshop, make_workshop

MAIL = (
    b"From: Kim <kim@example.org>\r\nSubject: =?utf-8?q?R=C3=BCckgabe?=\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nPlease take it back.\r\n"
)


@pytest.fixture
def workshop(database: Any) -> Workshop:
    """Whose team `desk` has one active agent, and a draft."""
    workshop = make_workshop()
    with workshop.open():
        start(workshop, workshop.agent("clerk"))
        workshop.agent("draft")
    return workshop


def start(workshop: Workshop, agent: Agent) -> None:
    """Let it serve."""
    version = publish_version(
        actor=workshop.shell, agent=agent, instructions="Work.", language_model=workshop.model, tools=[], delegates=[]
    )
    serve_version(actor=workshop.shell, agent=agent, version=version)
    activate_agent(actor=workshop.shell, agent=agent)


@pytest.fixture
def submit(workshop: Workshop) -> Callable[..., str]:
    """Run the command; what it printed."""

    def run(*arguments: Any) -> str:
        out = StringIO()
        named = ("--team", "desk", "--organisation", workshop.organisation.slug)
        call_command("submit", *named, *map(str, arguments), stdout=out)
        return out.getvalue()

    return run


def runs(workshop: Workshop) -> list[Run]:
    """All of them, oldest first."""
    with workshop.open():
        return list(Run.objects.order_by("id"))


def test_mail_becomes_a_run(workshop: Workshop, submit: Callable[..., str], tmp_path: Path) -> None:
    """Named after its subject; the command says its id and address."""
    (tmp_path / "a.eml").write_bytes(MAIL)
    said = submit(tmp_path / "a.eml")
    run = runs(workshop)[0]
    assert run.title == "Rückgabe"
    assert "Please take it back." in run.input
    assert said.startswith(f"{run.id} http")
    assert f"/runs/{run.id}/" in said


def test_text_becomes_a_run(workshop: Workshop, submit: Callable[..., str], tmp_path: Path) -> None:
    """Named after its first line."""
    (tmp_path / "a.txt").write_text("\nA question\nabout ünïcode")
    submit(tmp_path / "a.txt")
    run = runs(workshop)[0]
    assert (run.title, run.input) == ("A question", "\nA question\nabout ünïcode")


def test_same_file_is_one_run_unless_wanted_again(
    workshop: Workshop, submit: Callable[..., str], tmp_path: Path
) -> None:
    """Under whatever name."""
    for name in ("a.eml", "b.eml"):
        (tmp_path / name).write_bytes(MAIL)
    submit(tmp_path / "a.eml")
    assert "submitted before" in submit(tmp_path / "b.eml")
    assert len(runs(workshop)) == 1
    submit("--again", tmp_path / "a.eml")
    submit("--again", tmp_path / "a.eml")
    assert len(runs(workshop)) == 3


def test_nothing_is_half_done(workshop: Workshop, submit: Callable[..., str], tmp_path: Path) -> None:
    """One bad file of three, and no run starts; one line says which."""
    (tmp_path / "good.eml").write_bytes(MAIL)
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "nul.txt").write_bytes(b"a\x00b")
    (tmp_path / "large.txt").write_bytes(b"a" * (5 * 1024 * 1024 + 1))
    for bad in ("empty.txt", "binary.txt", "nul.txt", "large.txt", "missing.eml", "."):
        with pytest.raises(CommandError) as error:
            submit(tmp_path / "good.eml", tmp_path / bad)
        assert str(tmp_path / bad) in str(error.value)
        assert "\n" not in str(error.value)
    assert runs(workshop) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--team", "nonesuch"), "no team"),
        (("--organisation", "nonesuch"), "no organisation"),
        (("--agent", "nonesuch"), "clerk"),
        (("--agent", "draft"), "active"),
    ],
)
def test_unknown_names(
    workshop: Workshop, submit: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Say which exist."""
    (tmp_path / "a.eml").write_bytes(MAIL)
    with pytest.raises(CommandError, match=message):
        submit(*arguments, tmp_path / "a.eml")
    assert runs(workshop) == []


def test_team_of_several_organisations_needs_the_organisation(workshop: Workshop, tmp_path: Path) -> None:
    """Otherwise nobody knows whose it is."""
    make_workshop()
    (tmp_path / "a.eml").write_bytes(MAIL)
    with pytest.raises(CommandError, match="--organisation"):
        call_command("submit", "--team", "desk", str(tmp_path / "a.eml"))


def test_team_of_several_agents_needs_the_agent(workshop: Workshop, submit: Callable[..., str], tmp_path: Path) -> None:
    """Unless one is asked for."""
    with workshop.open():
        start(workshop, workshop.agent("second"))
    (tmp_path / "a.eml").write_bytes(MAIL)
    with pytest.raises(CommandError, match="--agent with one of clerk, second"):
        submit(tmp_path / "a.eml")
    submit("--agent", "second", tmp_path / "a.eml")
    assert len(runs(workshop)) == 1


def test_waiting_tells_the_outcome(workshop: Workshop, submit: Callable[..., str], tmp_path: Path) -> None:
    """A run that did not succeed makes the command fail."""
    (tmp_path / "a.eml").write_bytes(MAIL)
    submit(tmp_path / "a.eml")
    end(workshop, state="succeeded", output={"text": "Taken\nback."})
    assert "succeeded: Taken back." in submit("--wait", tmp_path / "a.eml")
    end(workshop, state="failed", failure="The budget is used up.")
    with pytest.raises(CommandError, match="Not every run succeeded"):
        submit("--wait", tmp_path / "a.eml")


def end(workshop: Workshop, **columns: Any) -> None:
    """End the run, as the engine would."""
    with workshop.open():
        Run.objects.update(ended_at=Now(), **columns)
