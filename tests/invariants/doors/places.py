"""Where things hang, and so what a role on the whole organisation, on a team or on another team opens of them."""

from enum import Enum, auto

from tests.invariants.doors.routes import Door, Operation

DONE = frozenset({200, 201, 202, 204})
SHOWN = frozenset({200, 303})


class Kind(Enum):
    """What a noun's things hang on."""

    TEAM = auto()  # a team or an agent in it: a role there, or above, opens them
    WIDE = auto()  # the organisation: whoever may view anything views them, a role on the organisation changes them
    NARROW = auto()  # the organisation: nobody with less than a role on it even views them
    OWN = auto()  # the one person that asks: everybody has their own


HANGS: dict[str, Kind] = {
    **dict.fromkeys(
        ("agents", "approvals", "artifacts", "budgets", "callbacks", "decisions", "delegations", "grants", "questions",
         "reviews", "runs", "schedules", "sessions", "teams", "triggers", "workers"),
        Kind.TEAM,
    ),
    **dict.fromkeys(
        ("connectors", "credentials", "directory", "groups", "language-models", "models", "organisation", "people",
         "policies", "providers", "services", "tools"),
        Kind.WIDE,
    ),
    **dict.fromkeys(("audit", "identity-providers", "single-sign-on", "invitations"), Kind.NARROW),
    **dict.fromkeys(("", "api-keys", "search", "sign-out", "settings", "password", "security", "tokens", "browsers",
                     "factors"), Kind.OWN),
    "introspect": Kind.OWN,
    "access": Kind.OWN,  # a question about oneself, if it names nobody
    # Pages of several things: each shows only what its reader may see.
    **dict.fromkeys(("costs", "roles"), Kind.OWN),
}  # fmt: skip
# Forms of the own team that name colleagues and models, which everybody in the organisation may view.
NAMES_COLLEAGUES = frozenset({"agents/new"})
# What an operation undoes: it is done first, by an administrator.
BEFORE = {
    "agents_activate": "agents_suspend",
    "people_restore": "people_suspend",
    "runs_resume": "runs_pause",
    "schedules_enable": "schedules_disable",
    "services_restore": "services_suspend",
    "tools_accept": "tools_disable",
    "triggers_enable": "triggers_disable",
}
# What a browser does, and no key: the matrix asks with keys.
BROWSER_ONLY = frozenset(
    {"browsers_list", "browsers_destroy", "browsers_end_others", "factors_list", "factors_remove",
     *(f"identity_providers_{verb}" for verb in ("create", "change", "destroy", "map", "unmap"))}
)  # fmt: skip
# What cannot succeed in the matrix's world though the permission is held, and why.
MAY_FAIL: dict[str, tuple[int, str]] = {
    "teams_archive": (400, "an agent lives in it"),
    "teams_move": (409, "it is there already"),
    "teams_unarchive": (409, "it is not archived"),
    "api_keys_rotate": (403, "nobody makes a key in the name of another person"),
    "agents_give_back": (409, "it is not in review"),
    "agents_submit": (409, "it is active"),
    "agents_take_over": (409, "somebody answers for it"),
    "delegations_narrow": (403, "only its giver, or whoever manages grants"),
    "delegations_revoke": (403, "only its giver, or whoever manages grants"),
    **dict.fromkeys(BROWSER_ONLY, (403, "a browser does this, and no key")),
    "organisation_leave": (400, "the last administrator stays"),
    "identity_providers_check": (400, "no provider answers in a test"),
    "approvals_approve": (403, "separation of duties: only the roles that are asked, and never the requester"),
    "approvals_deny": (403, "separation of duties: never the requester"),
    "audit_checkpoint": (404, "nothing is sealed in a test"),
    "audit_read": (404, "the entry is nobody's"),
    "reviews_close": (409, "a grant in it is still open"),
    "runs_replay": (409, "the run has not ended"),
    "runs_resolve_unknown": (409, "the step waits for an approval"),
    "runs_retry": (409, "the run has not ended"),
    "sessions_close": (409, "its run has not ended"),
    "sessions_move": (409, "there is one version"),
}

# What also needs its permission above the thing that it is done to, and so is refused to who holds it there alone.
ABOVE = {"teams_move"}
# What belongs to the whole organisation, but is asked of an agent of the own team.
OF_AN_AGENT = {"policies_try_act"}


class Place(Enum):
    """Where somebody holds a role, seen from the things that the matrix asks for."""

    ORGANISATION = "organisation"
    OWN_TEAM = "own team"
    OTHER_TEAM = "other team"
    OTHER_ORGANISATION = "other organisation"


def kind_of(noun: str) -> Kind:
    """Where a noun's things hang; for one that is not declared, what opens the least."""
    return HANGS.get(noun, Kind.TEAM)


def answers(operation: Operation, held: bool, place: Place) -> frozenset[int]:
    """The statuses with which an operation may answer whoever holds what it needs (or does not) in a place."""
    if not held or (place is Place.OWN_TEAM and operation.name in ABOVE):
        return frozenset({403})
    one = "{id}" in operation.path and operation.name not in BROWSER_ONLY
    if place is Place.ORGANISATION:
        return _done(operation)
    if place is Place.OTHER_ORGANISATION:
        return frozenset({404}) if one else DONE | {400, 403, 404, 409}
    match kind_of(operation.noun):
        case Kind.OWN:
            return DONE | {400, 403, 404, 409}
        case Kind.TEAM if place is Place.OWN_TEAM:
            return _done(operation) if one or operation.method == "GET" else DONE | {400, 403, 404}
        case Kind.TEAM:
            return frozenset({404}) if one else DONE if operation.method == "GET" else frozenset({400, 403, 404})
        case Kind.WIDE if operation.permission.endswith(".view"):
            hidden = place is Place.OTHER_TEAM and operation.name in OF_AN_AGENT
            return frozenset({404}) if hidden else _done(operation)
    return frozenset({200, 403}) if operation.method == "GET" and not one else frozenset({403, 404})


def _done(operation: Operation) -> frozenset[int]:
    failing = MAY_FAIL.get(operation.name)
    return DONE | {failing[0]} if failing else DONE


def is_hidden(noun: str, place: Place) -> bool:
    """Whether nothing of the matrix's things may show in an answer about this noun, wherever it shows them."""
    kind = kind_of(noun)
    return place is Place.OTHER_ORGANISATION or (
        place is Place.OTHER_TEAM and kind in {Kind.TEAM, Kind.NARROW}
    ) or (place is Place.OWN_TEAM and kind is Kind.NARROW)  # fmt: skip


def pages_answer(door: Door, method: str, held: bool, place: Place) -> frozenset[int]:
    """The same for a page. A form that is refused for what it says is a page too (400 and 422), as is a redirect."""
    if not held:
        return frozenset({403})
    told = frozenset({200, 303, 400, 409, 422})
    kind, one = kind_of(door.noun), bool(set("<(\\") & set(door.pattern))
    if kind is Kind.OWN or door.page.personal or place is Place.ORGANISATION:
        return told | {403, 404}
    if place is Place.OTHER_ORGANISATION:
        return frozenset({404}) if one else told | {403, 404}
    if kind is Kind.TEAM and one:
        return told | {403} if place is Place.OWN_TEAM else frozenset({404})
    if kind is Kind.TEAM or (door.names(method) or "").endswith(".view"):
        return told | {403, 404}
    return told | {403, 404} if method == "GET" else frozenset({400, 403, 404, 422})
