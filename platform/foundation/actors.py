"""Who is acting, as plain values: carried through every service and written into every audit entry."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """What kind of principal acts."""

    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


class AuthenticationMethod(StrEnum):
    """How the actor proved who it is."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    SIGN_IN_LINK = "sign-in link"
    PASSKEY = "passkey"
    SINGLE_SIGN_ON = "single sign-on"
    API_KEY = "API key"
    RUN_TOKEN = "run token"  # noqa: S105 - the name of a method
    SHELL = "shell"
    INTERNAL = "internal"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who is acting.

    `principal` is the id of a Principal row, `chain` the principals on whose behalf it acts, nearest first.
    `scopes` narrows the permissions (an API key's); None means no narrowing. `key` is the id of the API key that acts.
    """

    kind: ActorKind
    name: str
    principal: UUID | None = None
    organisation: UUID | None = None
    user: UUID | None = None
    chain: tuple[UUID, ...] = ()
    scopes: frozenset[str] | None = None
    key: UUID | None = None
    method: AuthenticationMethod = AuthenticationMethod.INTERNAL
    authenticated_at: datetime | None = None
    session: UUID | None = None
    run: UUID | None = None
    request: str = ""
    address: str = ""

    @property
    def is_person(self) -> bool:
        """True for a person: only people approve."""
        return self.kind is ActorKind.PERSON

    def within(self, organisation: UUID) -> "Actor":
        """The same actor, in an organisation."""
        return replace(self, organisation=organisation)


def system_actor(name: str, organisation: UUID | None = None) -> Actor:
    """A part of Remit itself, such as the engine or the sealer."""
    return Actor(kind=ActorKind.SYSTEM, name=name, organisation=organisation)


def shell_actor(organisation: UUID | None = None) -> Actor:
    """Whoever holds the shell of the machine: commands of `manage.py`."""
    return Actor(kind=ActorKind.SYSTEM, name="shell", organisation=organisation, method=AuthenticationMethod.SHELL)


ANONYMOUS = Actor(kind=ActorKind.ANONYMOUS, name="anonymous", method=AuthenticationMethod.NONE)
