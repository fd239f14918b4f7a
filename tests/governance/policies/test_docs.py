"""docs/policies.md is true: its policies validate, its table holds, its facts exist."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from governance.policies.evaluation import Decision
from governance.policies.facts import Facts
from governance.policies.schema import PolicySchema
from governance.policies.validation import validate

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "policies.md").read_text()
POLICIES = re.findall(r"```cedar\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| (\w+) \| (payments\.\w+) \| (\d+) \| (yes|no) \| (\w+) \|$", PAGE, re.MULTILINE)
FACTS = re.findall(r"^\| `((?:context|principal|resource)\.[a-z_.]+)` \| (String|Bool|Long)", PAGE, re.MULTILINE)
ANYTHING_OF = {"String": '!= "-"', "Bool": "!= true", "Long": "!= 0"}


@pytest.mark.parametrize("source", POLICIES)
def test_every_example_validates(schema: PolicySchema, source: str) -> None:
    assert validate(source, schema) == []


@pytest.mark.parametrize("row", ROWS)
def test_the_table_holds(says: Callable[..., Decision], refund: Facts, row: tuple[str, ...]) -> None:
    agent, tool, cents, approved, effect = row
    act = replace(
        refund,
        agent=agent,
        target=tool,
        arguments={"order": "A-1", "account": "DE00", "amount_cents": int(cents)},
        approved=approved == "yes",
    )

    assert says(act, POLICIES[0]).effect.value == effect


@pytest.mark.parametrize(("fact", "kind"), FACTS)
def test_every_fact_exists(schema: PolicySchema, fact: str, kind: str) -> None:
    source = f'permit (principal, action == Action::"tool_call", resource) when {{ {fact} {ANYTHING_OF[kind]} }};'

    assert validate(source, schema) == []


def test_the_page_was_read() -> None:
    assert (len(POLICIES), len(ROWS)) == (2, 6)
    assert len(FACTS) == 13
