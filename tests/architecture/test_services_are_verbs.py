"""Every public function of a `services.py` takes its actor first, works in a transaction, and records what it did."""

import ast
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
EXCEPTIONS = {
    ("platform/foundation/access/services.py", "administrators"): "a question, for the last of them stays",
    ("platform/foundation/organisations/services.py", "add_target"): "a part of the verbs that make teams and agents",
    ("governance/approvals/services.py", "votes_missing"): "a question, for the page of an approval",
    ("governance/policies/services.py", "problems_of"): "a question, for the editor of a policy",
}
IN_THE_CALLERS_TRANSACTION = {
    ("platform/foundation/audit/services.py", "read_body"): "it reads and records; the request's transaction is open",
}
WRITES = {"create", "bulk_create", "save", "update", "delete", "get_or_create", "update_or_create", "execute"}


def _calls(node: ast.AST) -> set[str]:
    names = set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            names.add(call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", ""))
    return names


def _reached(tree: ast.Module, start: Function) -> set[str]:
    """The names of all that a function calls, through the functions of its own module."""
    own = {node.name: node for node in tree.body if isinstance(node, Function)}
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        called = _calls(waiting.pop()) - reached
        reached |= called
        waiting += [own[name] for name in called & own.keys()]
    return reached


def _is_atomic(function: Function) -> bool:
    return any("atomic" in ast.unparse(decorator) for decorator in function.decorator_list)


def _faults(tree: ast.Module, function: Function) -> list[str]:
    arguments, faults = function.args, []
    if arguments.posonlyargs or arguments.args or arguments.vararg:
        faults.append("takes arguments without their names (begin the signature with `*`)")
    if not arguments.kwonlyargs or arguments.kwonlyargs[0].arg != "actor":
        faults.append("does not take `actor` first")
    if "record" not in _reached(tree, function):
        faults.append("never reaches record(…)")
    if not _is_atomic(function):
        faults.append("is not @transaction.atomic")
    return faults


def _verbs(sources: list[Any]) -> dict[tuple[str, str], list[str]]:
    return {
        (source.name, node.name): _faults(source.tree, node)
        for source in sources
        if source.name.endswith("/services.py")
        for node in source.tree.body
        if isinstance(node, Function) and not node.name.startswith("_")
    }


def test_each_verb_names_its_actor_and_records(sources: list[Any]):
    verbs = _verbs(sources)
    assert len(verbs) > 20, "The guard sees almost no services: mend `_verbs`."
    found = []
    for place, faults in verbs.items():
        excused = {"is not @transaction.atomic"} if place in IN_THE_CALLERS_TRANSACTION else set()
        if place not in EXCEPTIONS and (left := [fault for fault in faults if fault not in excused]):
            found.append(f"{place[1]} in {place[0]} {', '.join(left)}")
    assert not found, (
        f"{'; '.join(found)}. A service is a verb that the record tells of; a question belongs on the model's queryset."
    )


def test_exceptions_are_needed(sources: list[Any]):
    verbs = _verbs(sources)
    stale = [
        f"{name} in {path}"
        for path, name in {**EXCEPTIONS, **IN_THE_CALLERS_TRANSACTION}
        if not verbs.get((path, name))
    ]
    assert not stale, f"Take {', '.join(stale)} off the list: it is gone, or keeps the rule by now."


def test_questions_change_nothing(sources: list[Any]):
    """What is excused as a question does not write."""
    for source in sources:
        for node in source.tree.body:
            reason = EXCEPTIONS.get((source.name, getattr(node, "name", "")), "")
            if reason.startswith("a question") and (written := _reached(source.tree, node) & WRITES):
                raise AssertionError(f"{node.name} in {source.name} calls {min(written)}: make it a verb that records.")


def test_the_guard_sees():
    tree = ast.parse(
        "@transaction.atomic\n"
        "def good(*, actor, run):\n    _tell(actor)\n"
        "def bad(run, actor=None):\n    return run\n"
        "def _tell(actor):\n    record(actor)\n"
    )
    good, bad, _ = tree.body
    assert isinstance(good, ast.FunctionDef)
    assert _faults(tree, good) == []
    assert isinstance(bad, ast.FunctionDef)
    assert len(_faults(tree, bad)) == 4
