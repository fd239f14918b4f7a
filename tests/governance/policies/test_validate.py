"""What keeps a policy from being published, where it is, and what a person is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from governance.policies.schema import PolicySchema, PolicyTool, build_schema
from governance.policies.source import Problem, SourceError, statements
from governance.policies.validation import validate

OPEN = "permit (principal, action, resource)"
CALL = 'permit (principal, action == Action::"tool_call", resource == Tool::"payments.refund")'
ASK = """@ask("{question}") @approvers("{approvers}") @quorum("{quorum}") @expires("{expires}") @risk("{risk}")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.refund")
unless {{ context.approved }};"""
GOOD = {"question": "Do {order}?", "approvers": "desk, lead", "quorum": "2", "expires": "30m", "risk": "low"}


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        (f"{OPEN}\nwhen {{ foo bar }};", (2, 12), "unexpected token `bar`"),
        (f"{OPEN}\nwhen {{ foo }};", (2, 8), "invalid variable: foo"),
        ("permit (principal,\n  action resource);", (2, 10), "unexpected token `resource`"),
        (f"{OPEN}\nwhen {{ true ", (2, 8), "ends too early"),
        (f'{OPEN}\nwhen {{ "abc }};', (2, 8), "not closed"),
        (f"{OPEN} # why\n;", (1, 38), "invalid token"),
        (f"{OPEN}\nwhen {{ context.approved }} }};", (2, 27), "unexpected token `}`"),
        (f'@id("a")\n{OPEN} when {{ 1 < 2 }} unless ;', (2, 60), "unexpected token `;`"),
        ("permit principal, action, resource);", (1, 8), "unexpected token `principal`"),
        (f"{OPEN} when {{ true & false }};", (1, 50), "invalid token"),
        ("allow (principal, action, resource);", (1, 1), "invalid policy effect: allow"),
        (f"{OPEN};\n{OPEN} whn {{ true }};", (2, 38), "invalid policy condition: whn"),
        ('@id("a") @id("b")\n' + OPEN + ";", (1, 11), "duplicate annotation"),
        ("permit (principal == ?principal, action, resource);", (1, 22), "Slots such as ?principal"),
        ("", (1, 1), "no policy here"),
        ("// only words", (1, 1), "no policy here"),
        (f"{OPEN} when {{ {'(' * 40}true{')' * 40} }};", (1, 68), "nested too deeply"),
        (f"{OPEN} when {{ {' && '.join(['context.approved'] * 300)} }};", (1, 1), "nested too deeply"),
        ("//" + "x" * 40_000, (1, 1), "longer than 32768"),
    ],
)
def test_what_cedar_cannot_read(schema: PolicySchema, source: str, place: tuple[int, int], message: str) -> None:
    problem = validate(source, schema)[0]

    assert (problem.line, problem.column) == place
    assert message in problem.message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"{OPEN} when {{ context.args.amount_cents > 1 }};", 'name one tool in the scope (resource == Tool::"...")'),
        (f"{CALL} when {{ context.args.amount > 1 }};", "context.args.amount does not exist for payments.refund"),
        (f'{CALL} when {{ context.args.note == "x" }};', "test first: context.args has note && ..."),
        (f'{CALL} when {{ context.args.amount_cents > "x" }};', "expected Long but saw String"),
        (f'{CALL} when {{ principal.team == Team::"desk" }};', "test first: principal has team && ..."),
        (f'{CALL} when {{ action == Action::"tool_call" }};', "== is never true"),
        (f'{CALL} when {{ resource.effct == "read" }};', "`effct`"),
        ('permit (principal, action, resource == Tool::"payments.refnd");', "There is no tool called payments.refnd"),
        ('permit (principal == Agent::"triag", action, resource);', "There is no agent called triag"),
        ('permit (principal in Team::"dusk", action, resource);', "There is no team called dusk"),
        (f'{OPEN} when {{ resource == Model::"big" }};', "There is no model called big"),
        (f'{OPEN} when {{ resource in Connector::"mial" }};', "There is no connector called mial"),
        ('permit (principal, action == Action::"tol_call", resource);', "Unrecognized action"),
        ('permit (principal == User::"x", action, resource);', "Unrecognized entity type `User`"),
        ('permit (principal, action == Action::"model_call", resource is Tool);', "No request fits this scope"),
    ],
)
def test_what_does_not_fit_the_schema(schema: PolicySchema, source: str, message: str) -> None:
    assert message in " ".join(problem.message for problem in validate(source, schema))


def test_a_good_ask(schema: PolicySchema) -> None:
    assert validate(ASK.format(**GOOD), schema) == []


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("question", " ", "@ask holds the question"),
        ("question", "Do {amount}?", "{amount}, which is not an argument of this tool"),
        ("approvers", "", "@approvers has the short names"),
        ("approvers", "a,,b", "@approvers has the short names"),
        ("approvers", "team:desk", "@approvers has the short names"),
        ("quorum", "0", "@quorum is a whole number from 1 to 99"),
        ("quorum", "two", "@quorum is a whole number"),
        ("quorum", "٣", "@quorum is a whole number"),
        ("expires", "soon", "@expires is a time such as 30m, 24h or 7d"),
        ("expires", "0h", "@expires is a time"),
        ("expires", "31d", "at most 30d"),
        ("risk", "huge", "@risk is one of low, medium, high, critical"),
    ],
)
def test_a_wrong_annotation_of_an_ask(schema: PolicySchema, part: str, value: str, message: str) -> None:
    problems = validate(ASK.format(**GOOD | {part: value}), schema)

    assert [message in problem.message for problem in problems] == [True]
    assert problems[0].line == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('@ask("Do it?") @approvers("desk") permit (principal, action, resource);', "An ask is a forbid"),
        ('@ask("Do it?") @approvers("desk") forbid (principal, action, resource);', "ends in `unless { context.appr"),
        (
            '@ask("Do?") @approvers("d") forbid (principal, action, resource) unless { context.approved && 1 == 2 };',
            "An ask is a forbid",
        ),
        ("forbid (principal, action, resource) unless { context.approved };", "Nobody is asked"),
        (
            ASK.format(**GOOD | {"question": "Start?"})
            .replace("tool_call", "run_start")
            .replace('resource == Tool::"payments.refund"', "resource"),
            "The start of a run waits for nobody",
        ),
        ('@quorum("1") permit (principal, action, resource);', "@quorum belongs to an ask"),
        ('@id("Large Refund") permit (principal, action, resource);', "@id is lower-case letters"),
        ("@id permit (principal, action, resource);", "@id is lower-case letters"),
        ('@aprovers("desk") permit (principal, action, resource);', "@aprovers is not an annotation: use approvers"),
        (f'@id("a") {OPEN};\n@id("a") {OPEN};', "@id a stands twice"),
        (f'@id("a") {OPEN};\n{OPEN};', "give each an @id"),
    ],
)
def test_wrong_annotations(schema: PolicySchema, source: str, message: str) -> None:
    assert message in " ".join(problem.message for problem in validate(source, schema))


def test_an_ask_may_also_yield_to_something_else(schema: PolicySchema) -> None:
    source = ASK.format(**GOOD).replace("context.approved", "context.environment.rehearsed || context.approved")

    assert validate(source, schema) == []


def test_a_problem_names_its_policy_and_its_place(schema: PolicySchema) -> None:
    source = f'@id("first")\n{OPEN};\n\n@id("second")\n{CALL}\nwhen {{ context.args.amount > 1 }};'

    problem = validate(source, schema)[0]

    assert (problem.line, problem.column, problem.policy) == (6, 21, "second")


def test_team_names_are_checked_only_where_they_are_listed() -> None:
    source = 'permit (principal in Team::"desk", action, resource);'

    assert validate(source, build_schema([], [], [])) == []
    assert len(validate(source, build_schema([], [], [], teams=[]))) == 1


def test_many_tools_are_named_in_one_problem() -> None:
    tools = [PolicyTool(f"mail.send_{number}", {}) for number in range(50)]
    schema = build_schema(tools, [], [])

    problems = validate('permit (principal, action == Action::"tool_call", resource) when { context.args.to };', schema)

    assert len(problems) == 1
    assert "mail.send_0, mail.send_1, mail.send_10 and 47 more" in problems[0].message


def test_a_comment_ends_where_cedar_ends_it() -> None:
    hidden = f"{OPEN}; // a comment\rforbid (principal, action, resource);"

    assert [statement.tree["effect"] for statement in statements(hidden)] == ["permit", "forbid"]


def test_semicolons_in_strings_and_comments_end_nothing() -> None:
    source = f'@description("a; \\"b;") {OPEN} // c; d\nwhen {{ "x;" == "y;//" }};'

    assert len(statements(source)) == 1


@pytest.mark.parametrize(
    "body", ["(" * 9_000 + "1" + ")" * 9_000, "[" * 9_000, "if true then true else " * 1_400 + "1"]
)
def test_what_would_overflow_cedars_stack_is_refused_before(body: str) -> None:
    # In a process of its own, because the failure that this guards against is a crash.
    program = (
        "import sys; from governance.policies.source import SourceError, statements\n"
        "try: statements('permit (principal, action, resource) when { ' + sys.stdin.read() + ' };')\n"
        "except SourceError as error: print(error)"
    )
    root = Path(__file__).resolve().parents[3]

    done = subprocess.run([sys.executable, "-c", program], input=body, capture_output=True, text=True, cwd=root)

    assert (done.returncode, "nested too deeply" in done.stdout) == (0, True), done.stderr


def test_a_broken_source_carries_its_problems() -> None:
    with pytest.raises(SourceError) as caught:
        statements("permit (")

    assert caught.value.problems == (Problem(1, 8, "The policy ends too early: a bracket or the final ; is missing."),)


@pytest.mark.parametrize("name", ["tool_call", "model_call", "run_start"])
def test_a_tool_cannot_be_called_like_a_kind_of_act(name: str) -> None:
    with pytest.raises(ValueError, match=f"A tool cannot be called {name}"):
        build_schema([PolicyTool(name, {})], [], [])
