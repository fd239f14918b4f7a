"""The program of the local model without its packages, and what a model at no price costs."""

import subprocess
import sys
from typing import Any

from agents.catalogue.services import set_price
from agents.runs.models import RunState
from config.environment import ROOT
from governance.budgets.models import LedgerEntry

BARE = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_module('config.local_model', run_name='__main__')"


def test_without_its_packages_it_says_so_in_a_line() -> None:
    command = [sys.executable, "-I", "-S", "-c", BARE, "--port", "29204"]
    done = subprocess.run(command, cwd=ROOT / "platform", capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "The local model cannot serve on port 29204: The package xllamacpp is not installed: start `manage.py up "
        "--local-model` once.\n"
    )


def test_a_price_of_nothing_lets_a_run_through_and_books_nothing(house: Any, say: Any) -> None:
    with house.in_tenant():
        set_price(
            actor=house.owner, language_model=house.language_model, currency="EUR", input_per_million=0,
            output_per_million=0,
        )  # fmt: skip
    house.model.answers = {"worker": [say("Done.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert (run.cost, run.input_tokens, run.output_tokens) == (0, 100, 10)
    assert house.steps(run)[0].decision_id is not None
    with house.in_tenant():
        assert not LedgerEntry.objects.filter(run_id=run.id).exclude(amount=0).exists()
