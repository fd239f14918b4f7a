"""How long a decision takes with ten policies and with ten thousand; prints JSON, and fails above the limit.

The two sets are measured in turn, many small rounds, so that whatever else the machine does meets both alike.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

from agents.gate import ActionKind, Effect  # noqa: E402 - after the source roots
from governance.policies.compiled import CompiledSet, PolicyText, compile_policies  # noqa: E402
from governance.policies.evaluation import decide  # noqa: E402
from governance.policies.facts import Facts  # noqa: E402
from governance.policies.schema import PolicyTool, build_schema  # noqa: E402

ROUNDS = 60
DECISIONS = 50
LIMIT = 1.3
ARGUMENTS = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "amount_cents": {"type": "integer"}},
    "required": ["order", "amount_cents"],
}
PERMIT = 'permit (principal == Agent::"triage", action == Action::"tool_call", resource == Tool::"{tool}");'
FORBID = """
@ask("Refund {{amount_cents}}?") @approvers("refund-approver")
forbid (principal, action == Action::"tool_call", resource == Tool::"{tool}")
when {{ context.args.amount_cents > 50000 }} unless {{ context.approved }};
"""


def compiled(size: int) -> CompiledSet:
    """A set of that many policies: half permits, half asks, two for each tool."""
    names = [f"payments.refund_{number}" for number in range(size // 2)]
    schema = build_schema([PolicyTool(name, ARGUMENTS) for name in names], ["model"], ["triage"])
    sources = [text.format(tool=name) for name in names for text in (PERMIT, FORBID)]
    return compile_policies([PolicyText(f"policy-{at}", 1, source) for at, source in enumerate(sources)], schema)


def facts(number: int) -> Facts:
    """A small refund by one of the tools that both sets know."""
    return Facts(
        kind=ActionKind.TOOL_CALL,
        agent="triage",
        agent_version="sha256:1",
        target=f"payments.refund_{number}",
        target_effect="effect",
        now=datetime.now(UTC),
        arguments={"order": "A-1001", "amount_cents": 2_000},
        history={"calls": 1, "spent": 0, "target_calls": 0},
        teams=("desk",),
    )


def round_of(policies: CompiledSet, acts: list[Facts]) -> float:
    """Microseconds for each of a round's decisions."""
    begun = time.perf_counter_ns()
    for number in range(DECISIONS):
        if decide(policies, acts[number % len(acts)]).effect is not Effect.ALLOW:
            message = "the benchmark's own refund was not allowed"
            raise RuntimeError(message)
    return (time.perf_counter_ns() - begun) / DECISIONS / 1_000


def main() -> int:
    """Measure, print, and say by the exit code whether the ratio holds."""
    begun = time.perf_counter()
    sets = {10: compiled(10), 10_000: compiled(10_000)}
    compile_seconds = time.perf_counter() - begun
    acts = [facts(number) for number in range(5)]
    for policies in sets.values():
        round_of(policies, acts)
    times: dict[int, list[float]] = {size: [] for size in sets}
    for _ in range(ROUNDS):
        for size, policies in sets.items():
            times[size].append(round_of(policies, acts))
    medians = {size: median(values) for size, values in times.items()}
    ratio = medians[10_000] / medians[10]
    result = {
        "microseconds": {str(size): round(value, 1) for size, value in medians.items()},
        "ratio": round(ratio, 3),
        "limit": LIMIT,
        "compile_seconds": round(compile_seconds, 2),
    }
    print(json.dumps(result))
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
