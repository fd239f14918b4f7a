"""Run tokens: JSON Web Tokens (RFC 7519) that say which agent calls, in which run, for whom, at whom, and what it may.

They are signed with Ed25519 (`alg` EdDSA, RFC 8037). `verify` checks all that the token itself can say; whether what it
speaks of still stands is asked of the rows (`foundation.delegation.standing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from foundation.delegation.keys import LIFETIME, signing_key, verification_keys
from foundation.ids import uuid7

ALGORITHM = "EdDSA"
TYPE = "remit-run+jwt"
REMIT = "remit"  # the audience of tokens that Remit itself takes
LONGEST = 16_384  # characters of a token


class TokenRefusedError(Exception):
    """A token does not count; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody on whose behalf an agent acts: the id of a principal, and what kind it is."""

    principal: UUID
    kind: str

    def as_json(self) -> dict[str, str]:
        """As it stands in the token."""
        return {"sub": str(self.principal), "kind": self.kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `agent` calls, for those of `on_behalf_of`, nearest first; `scopes` is what it may do.

    `run` is the run that it was made for; None for one of the token exchange. `delegation` is the DelegationGrant that
    it rests on, if it rests on one; `key` the API key that it was exchanged for.
    """

    agent: UUID
    organisation: UUID
    audience: tuple[str, ...]
    scopes: frozenset[str]
    expires_at: datetime
    issued_at: datetime
    agent_slug: str = ""
    run: UUID | None = None
    on_behalf_of: tuple[Party, ...] = ()
    delegation: UUID | None = None
    key: UUID | None = None
    jti: UUID = field(default_factory=uuid7)

    @property
    def chain(self) -> tuple[UUID, ...]:
        """The agent, then those whom it acts for."""
        return (self.agent, *(one.principal for one in self.on_behalf_of))

    @property
    def person(self) -> UUID | None:
        """The person at the end of the chain, or None for a service identity."""
        last = self.on_behalf_of[-1] if self.on_behalf_of else None
        return last.principal if last is not None and last.kind == "person" else None


def end_of(now: datetime, *bounds: datetime | None) -> datetime:
    """When a token made now ends: ten minutes at most, and never after any of the bounds."""
    return min([now + timedelta(seconds=LIFETIME), *(one for one in bounds if one is not None)])


def mint(claims: Claims) -> str:
    """The signed token. Raises ValueError for one that has ended already, or would live too long."""
    seconds = (claims.expires_at - claims.issued_at).total_seconds()
    if not 0 < seconds <= LIFETIME:
        raise ValueError("A token lives longer than nothing, and ten minutes at most.")
    key = signing_key()
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
    return jwt.encode(header, _written(claims), key, registry=_REGISTRY)


def verify(
    token: str, *, audience: str, now: datetime, organisation: UUID | None = None, run: UUID | None = None
) -> Claims:  # fmt: skip
    """What a token says, if we signed it, for this audience, and it counts at this moment. Raises TokenRefusedError.

    With `organisation` or `run`, it must be of these.
    """
    if not token or len(token) > LONGEST or not token.isascii():
        raise TokenRefusedError("This is no token.")
    try:
        opened = jwt.decode(token, verification_keys(), registry=_REGISTRY)
        if opened.header.get("typ") != TYPE:
            raise TokenRefusedError("This is a token of another kind.")
        _registry(audience, now).validate(opened.claims)
        claims = _read(opened.claims)
    except (JoseError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise TokenRefusedError(_REASONS.get(getattr(error, "error", ""), "This is no token of ours.")) from None
    if claims.expires_at <= now:
        raise TokenRefusedError(_REASONS["expired_token"])
    if claims.issued_at > now + _LEEWAY or claims.expires_at - claims.issued_at > timedelta(seconds=LIFETIME):
        raise TokenRefusedError("The times in the token are not ours.")
    if organisation is not None and claims.organisation != organisation:
        raise TokenRefusedError("The token is of another organisation.")
    if run is not None and claims.run != run:
        raise TokenRefusedError("The token is of another run.")
    return claims


class _Registry(JWSRegistry):
    """One algorithm, whatever the header asks for: no token chooses how it is checked."""

    def get_alg(self, name: str) -> Any:
        if name != ALGORITHM:
            raise TokenRefusedError(f"The token is not signed with {ALGORITHM}.")
        return JWSRegistry.algorithms[ALGORITHM]


_REGISTRY = _Registry(algorithms=[ALGORITHM])
_LEEWAY = timedelta(seconds=5)
_REASONS = {
    "expired_token": "The token has expired.",
    "bad_signature": "The signature is not ours.",
    "invalid_key_id": "The token is signed with another key.",
    "invalid_claim": "The token is for another audience, or of another issuer.",
}


def _registry(audience: str, now: datetime) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(now.timestamp()),
        iss={"essential": True, "value": settings.PUBLIC_URL},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
        org={"essential": True},
    )


def _written(claims: Claims) -> dict[str, Any]:
    rest = {"agent": claims.agent_slug, "run": claims.run, "delegation": claims.delegation, "key": claims.key}
    return {
        "iss": settings.PUBLIC_URL,
        "sub": str(claims.agent),
        "aud": list(claims.audience) if len(claims.audience) > 1 else claims.audience[0],
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
        "jti": str(claims.jti),
        "org": str(claims.organisation),
        "on_behalf_of": [one.as_json() for one in claims.on_behalf_of],
        "scope": " ".join(sorted(claims.scopes)),
        **{name: str(value) for name, value in rest.items() if value},
    }


def _read(said: Mapping[str, Any]) -> Claims:
    audience = said["aud"]
    parties: Sequence[Mapping[str, Any]] = said.get("on_behalf_of", [])
    return Claims(
        agent=UUID(said["sub"]),
        agent_slug=str(said.get("agent", "")),
        organisation=UUID(said["org"]),
        audience=(audience,) if isinstance(audience, str) else tuple(str(one) for one in audience),
        scopes=frozenset(str(said.get("scope", "")).split()),
        issued_at=datetime.fromtimestamp(int(said["iat"]), UTC),
        expires_at=datetime.fromtimestamp(int(said["exp"]), UTC),
        run=UUID(said["run"]) if "run" in said else None,
        on_behalf_of=tuple(Party(UUID(one["sub"]), str(one["kind"])) for one in parties),
        delegation=UUID(said["delegation"]) if "delegation" in said else None,
        key=UUID(said["key"]) if "key" in said else None,
        jti=UUID(said["jti"]),
    )
