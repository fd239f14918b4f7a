"""How a step of a run is shown: the kind gives icon and colour, trouble and waiting override both."""

from typing import NamedTuple


class StepLook(NamedTuple):
    """Icon, tone of the icon, class of the bar, and the word at the row's end (empty for the usual)."""

    icon: str
    tone: str
    bar: str
    word: str


KINDS = {
    "agent": StepLook("bot", "", "wire", ""),
    "run": StepLook("bot", "", "wire", ""),
    "delegation": StepLook("bot", "", "wire", ""),
    "model": StepLook("sparkles", "model", "model", ""),
    "tool": StepLook("wrench", "tool", "tool", ""),
    "guard": StepLook("eye", "", "guard", ""),
    "memory": StepLook("database", "", "guard", ""),
    "wait": StepLook("hand", "wait", "wait open", ""),
    "approval": StepLook("hand", "wait", "wait open", ""),
    "more": StepLook("ellipsis", "", "wire", ""),
    "timer": StepLook("timer", "", "guard open", ""),
    "event": StepLook("radio", "", "guard open", ""),
}
_NOBODY_ASKED = frozenset({"timer", "event"})
_TROUBLE = {
    "failed": StepLook("circle-x", "bad", "bad", ""),
    "denied": StepLook("ban", "bad", "bad", "Denied"),
    "refused": StepLook("ban", "bad", "bad", "Refused"),
    "unknown": StepLook("circle-help", "warn", "warn", "Unknown"),
    "waiting": StepLook("hand", "wait", "wait open", "Asked"),
    "asked": StepLook("hand", "wait", "wait open", "Asked"),
}


def step_look(kind: object, state: object) -> StepLook:
    """The look of one step; an unknown kind is drawn like a check."""
    usual = KINDS.get(str(kind), StepLook("circle-dashed", "", "guard", ""))
    if str(kind) in _NOBODY_ASKED and str(state) == "waiting":
        return StepLook(usual.icon, usual.tone, usual.bar, "Waits")
    trouble = _TROUBLE.get(str(state))
    if trouble is not None and not (usual.bar == "wire" and trouble.bar == "wait open"):
        return StepLook(trouble.icon, trouble.tone, "wire" if usual.bar == "wire" else trouble.bar, trouble.word)
    if str(state) == "running":
        return StepLook("loader-circle", "info", usual.bar, "")
    return usual
