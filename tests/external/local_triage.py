"""A program of the acceptance test: the whole team on the local model, one mail given to triage, worked on to its end.

It prints the id of the run, and works in a process of its own because its database is not the suite's.
"""

import sys
import time
from pathlib import Path
from uuid import UUID

import django

django.setup()

from agents.catalogue.models import LanguageModel  # noqa: E402 - Django is set up first
from agents.registry.models import Agent  # noqa: E402
from agents.registry.services import publish_version, serve_version  # noqa: E402
from agents.runs.engine import advance  # noqa: E402
from agents.runs.leases import keeper  # noqa: E402
from agents.runs.models import ENDED, Run  # noqa: E402
from config.intake import Submission, submit  # noqa: E402
from config.local_model import ALIAS  # noqa: E402
from config.sample.definition import SAMPLE  # noqa: E402
from foundation.actors import Actor, shell_actor  # noqa: E402
from foundation.organisations.models import Organisation  # noqa: E402
from foundation.tenancy.context import tenant  # noqa: E402
from governance.policies.services import create_policy  # noqa: E402

PERMIT = f"""
@id("refund-desk-tries-the-local-model")
permit (principal, action == Action::"model_call", resource == Model::"{ALIAS}")
when {{ principal in Team::"refund-desk" }};
"""
MOST_STEPS = 6
MOST_TOKENS = 96  # of an answer; so that the end comes within two minutes on two free cores
MOST_SECONDS = 240


def put_on_local_model(actor: Actor) -> Agent:
    """Every agent of the sample serves a new version that names the local model; triage."""
    model = LanguageModel.objects.get(slug=ALIAS)
    for given in SAMPLE.agents:
        agent = Agent.objects.get(slug=given.slug)
        version = publish_version(
            actor=actor, agent=agent, instructions=given.instructions, language_model=model, tools=given.tools,
            delegates=given.delegates, max_steps=MOST_STEPS, max_seconds=MOST_SECONDS, max_output_tokens=MOST_TOKENS,
            run_budget=given.run_budget,
        )  # fmt: skip
        serve_version(actor=actor, agent=agent, version=version)
    create_policy(actor=actor, slug="local-model", name="The local model", source=PERMIT)
    return Agent.objects.get(slug=SAMPLE.front_agent)


def main(mail: Path) -> None:
    """Prepare, submit, and ring the bells until the run has ended."""
    organisation = Organisation.objects.using("system").get(slug=SAMPLE.slug).id
    actor = shell_actor(organisation)
    with tenant(organisation):
        run = submit(actor=actor, agent=put_on_local_model(actor), submission=Submission.of(mail)).run
    bells: list[UUID] = [run.id]
    while Run.objects.using("system").get(pk=run.id).state not in ENDED:
        if not bells:
            # It waits for a timer, or until its time is over.
            time.sleep(0.5)
            bells = [run.id]
        bells += advance(bells.pop(0))
    keeper.stop()
    sys.stdout.write(f"{run.id}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
