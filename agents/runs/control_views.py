"""Pages and buttons that steer runs: pause and resume; retry, fork and replay, which each make another run."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from agents.registry.models import AgentVersion
from agents.runs.control import fork_run, pause_run, replay_run, resume_run, retry_run
from agents.runs.control_forms import AS_IT_WAS, ForkForm, ReplayForm, RetryForm
from agents.runs.models import Run, Step, StepState
from agents.runs.versions import usable_versions
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.web.forms import FormPage
from foundation.web.pages import Act

MOST_VERSIONS = 50


class Pause(Act):
    """Holds a run and all below it before their next act."""

    permission = Permission.RUN_CONTROL

    def act(self, run_id: UUID) -> str:
        """Back to the run."""
        run = self.found(Run.objects.all(), pk=run_id)
        pause_run(actor=self.actor, run=run, reason=self.request.POST.get("reason", "")[:300])
        self.say("It pauses before its next act. What it waits for may still come; its time runs on.")
        return f"/runs/{run.id}/"


class Resume(Act):
    """Lets a paused run go on."""

    permission = Permission.RUN_CONTROL

    def act(self, run_id: UUID) -> str:
        """Back to the run."""
        run = self.found(Run.objects.all(), pk=run_id)
        resume_run(actor=self.actor, run=run)
        self.say("It goes on.")
        return f"/runs/{run.id}/"


class MakesRun(FormPage):
    """A form that makes another run of one; `?step=` is chosen already."""

    permission = Permission.RUN_CONTROL
    place = "runs"

    def load(self, **address: Any) -> None:
        """The run."""
        self._run = self.found(Run.objects.select_related("agent", "version", "session"), pk=address["run_id"])

    def context(self) -> Mapping[str, Any]:
        """The run."""
        return {"run": self._run}

    @property
    def _wanted(self) -> int | None:
        given = self.request.GET.get("step", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else None  # noqa: PLR2004 - digits

    def _versions(self) -> dict[str, AgentVersion]:
        rows = usable_versions(self.actor, self._run).order_by("-number")[:MOST_VERSIONS]
        return {str(version.number): version for version in rows}


class Retry(MakesRun):
    """A run that ended without success, once more from a step on."""

    template = "agents/run_retry.html"
    form = RetryForm

    def initial(self) -> dict[str, Any]:
        """From the first step that did not succeed."""
        steps = Step.objects.filter(run_id=self._run.id).exclude(state=StepState.SUCCEEDED)
        first = steps.order_by("number").values_list("number", flat=True).first()
        return {"step": self._wanted or first or self._run.steps_written + 1}

    def done(self, values: Mapping[str, Any]) -> str:
        """To the new run."""
        made = retry_run(actor=self.actor, run=self._run, **values)
        return f"/runs/{made.id}/"


class Fork(MakesRun):
    """Another run that shares the journal up to a step, and goes on by itself."""

    template = "agents/run_fork.html"
    form = ForkForm

    def initial(self) -> dict[str, Any]:
        """Up to the chosen step, with the same version."""
        step = self._run.steps_written if self._wanted is None else self._wanted
        return {"step": step, "version": str(self._run.version.number)}

    def make(self, data: Any = None) -> forms.Form:
        """With the versions."""
        form = super().make(data)
        self._choices = self._versions()
        form.fields["version"] = forms.ChoiceField(
            choices=[(number, f"Version {number}") for number in self._choices], help_text="It goes on from there."
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the new run."""
        version = self._choices[values["version"]]
        given = _input(self._run, values["input"]) if values["input"].strip() else None
        made = fork_run(actor=self.actor, run=self._run, step=values["step"], input=given, version=version)
        return f"/runs/{made.id}/"


def _input(run: Run, text: str) -> Any:
    if isinstance(run.input, str):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidError("This run's input is JSON: write a JSON object.", "input")
    return found


class Replay(MakesRun):
    """The same once more, with recorded outputs."""

    template = "agents/run_replay.html"
    form = ReplayForm

    def make(self, data: Any = None) -> forms.Form:
        """With the versions whose model may answer anew."""
        form = super().make(data)
        self._choices = self._versions()
        named = [(number, f"The model of version {number}, anew and paid") for number in self._choices]
        chosen = form.fields["version"]
        if isinstance(chosen, forms.ChoiceField):
            chosen.choices = [(AS_IT_WAS, "The record alone: it must come to the same"), *named]
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the new run."""
        made = replay_run(actor=self.actor, run=self._run, version=self._choices.get(values["version"]))
        return f"/runs/{made.id}/"
