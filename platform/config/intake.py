"""Files from the shell as the input of runs: mails, and plain texts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agents.registry.models import Agent, AgentState
from agents.runs.models import Run
from agents.runs.services import start_run
from config.sample.definition import SAMPLE
from config.sample.reading import read_mail
from foundation.actors import Actor
from foundation.errors import InvalidError
from foundation.organisations.models import Organisation, Team

LARGEST = 5 * 1024 * 1024  # bytes of a file
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Submission:
    """A file, read: what its run is called, what the agent reads, and the digest of the whole file."""

    path: Path
    title: str
    text: str
    digest: str

    @classmethod
    def of(cls, path: Path) -> "Submission":
        """Read a `.eml` file as a mail, any other as a text in UTF-8. Raises InvalidError."""
        raw = _read(path)
        if path.suffix.lower() == ".eml":
            mail = read_mail(raw)
            title, text = mail.subject, mail.text
        else:
            text = _decoded(path, raw)
            title = next((line.strip() for line in text.splitlines() if line.strip()), "")
        if not text.strip():
            raise InvalidError(f"{path} is empty: give a file with a mail or a text in it.")
        return cls(path, title[:_LONGEST_TITLE], text, hashlib.sha256(raw).hexdigest())


class Submitted(NamedTuple):
    """A run, and whether it was there before."""

    run: Run
    known: bool


def submit(
    *, actor: Actor, agent: Agent, submission: Submission, source: str = "shell", again: bool = False
) -> Submitted:
    """One file becomes one run of the agent. The same file gives the same run, unless it is wanted `again`."""
    key = None if again else "file:" + hashlib.sha256(f"{agent.id} {submission.digest}".encode()).hexdigest()
    known = key is not None and Run.objects.filter(organisation_id=agent.organisation_id, submission=key).exists()
    run = start_run(
        actor=actor, agent=agent, title=submission.title, input=submission.text, source=source, submission=key
    )
    return Submitted(run, known)


def find_team(slug: str, organisation: str | None) -> Team:
    """The team of this slug, in whatever organisation if only one has it. Raises InvalidError."""
    teams = Team.objects.using("system").filter(slug=slug).select_related("organisation")
    if organisation is not None:
        _find_organisation(organisation)
        teams = teams.filter(organisation__slug=organisation)
    found = list(teams.order_by("organisation__slug")[:3])
    if not found:
        known = Team.objects.using("system").order_by("slug").values_list("slug", flat=True).distinct()[:10]
        raise InvalidError(f"There is no team {slug!r}: use one of {', '.join(known) or '(there are no teams yet)'}.")
    if len(found) > 1:
        places = " and ".join(team.organisation.slug for team in found)
        raise InvalidError(f"Several organisations have a team {slug}: add --organisation with one of {places}.")
    return found[0]


def find_agent(team: Team, slug: str | None) -> Agent:
    """The agent of this slug in the team; without one the team's front agent, or its only active one."""
    agents = Agent.objects.filter(team=team).select_related("serving__language_model__provider")
    active = list(agents.filter(state=AgentState.ACTIVE).order_by("slug"))
    if slug is None and team.slug == SAMPLE.team_slug and any(one.slug == SAMPLE.front_agent for one in active):
        slug = SAMPLE.front_agent
    if slug is not None:
        found = agents.filter(slug=slug).first()
        if found is None:
            raise InvalidError(f"The team {team.slug} has no agent {slug!r}: use one of {_slugs(active)}.")
        return found
    if len(active) != 1:
        raise InvalidError(f"Say which agent of {team.slug} is to do it: add --agent with one of {_slugs(active)}.")
    return active[0]


def _slugs(agents: list[Agent]) -> str:
    return ", ".join(agent.slug for agent in agents) or "(none is active)"


def _find_organisation(slug: str) -> Organisation:
    found = Organisation.objects.using("system").filter(slug=slug).first()
    if found is None:
        raise InvalidError(f"There is no organisation {slug!r}.")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST:
        raise InvalidError(f"{path} is larger than {LARGEST // 1024 // 1024} MiB: make it smaller.")
    return raw


def _decoded(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError(f"{path} is no text in UTF-8: give a mail (.eml) or a plain text.") from error
    if "\x00" in text:
        raise InvalidError(f"{path} holds NUL characters: give a mail (.eml) or a plain text.")
    return text
