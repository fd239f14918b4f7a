"""The token endpoint of OAuth: one token for another (token exchange, RFC 8693; errors of RFC 6749)."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict
from rest_framework.exceptions import APIException, Throttled
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.registry.models import Agent, AgentState
from agents.runs.remit import rights_of_version
from agents.runs.run_tokens import check_token
from foundation.actors import Actor
from foundation.api.doors import allow_calls, count_refusal, forgive
from foundation.audit.record import entry, record, record_refusal
from foundation.delegation.exchange import NOT_LET, ExchangeError, Receiver, Wish, for_agent, for_person
from foundation.delegation.tokens import REMIT, Claims, TokenRefusedError, mint, verify
from foundation.identity.authentication import actor_of_key
from foundation.identity.models import PrincipalState
from foundation.identity.refusals import anonymous
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.tokens import prefix_of
from foundation.instants import database_now
from foundation.tenancy.context import tenant

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind
TYPES = (ACCESS_TOKEN, JWT)
LONGEST = 4_000  # characters of a parameter that is no token
MOST = 100  # audiences, or scopes
SEVERAL = {"audience", "resource"}  # parameters that may be given more than once


class TokenDoor(APIView):
    """The token endpoint: form-encoded, as OAuth has it. Whoever calls it presents the token that is the proof."""

    authentication_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # the framework's is no class variable
    permission_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # the same
    parser_classes: ClassVar[list[Any]] = [FormParser]  # type: ignore[misc]  # the same
    schema = None
    metadata_class = None

    def post(self, request: Request) -> Response:
        """A token of the agent that is to act, or an error of OAuth. What is refused is counted and recorded."""
        who = anonymous(request=request_id_of(request), address=address_of(request))
        counted = count_refusal(who.address)
        # A body of nothing is read as an empty dict, unless it says that it is a form.
        asked = _Asked(request.data if isinstance(request.data, QueryDict) else QueryDict(), who)
        try:
            asked.read()
            allow_calls(asked.organisation)
            with tenant(asked.organisation):
                claims = asked.exchanged()
                record(_told(asked, claims))
        except (ExchangeError, TokenRefusedError) as error:
            code = getattr(error, "code", "invalid_request")
            told = entry(asked.subject or who, "token.exchange", target_kind="token", outcome="denied",
                         reason=str(error), organisation=asked.place)  # fmt: skip
            record_refusal(told)
            return _unstored(Response({"error": code, "error_description": str(error)}, 400))
        except Throttled:
            # What was presented is in force, and comes only too early.
            forgive(counted)
            raise
        forgive(counted)
        seconds = int(claims.expires_at.timestamp()) - int(claims.issued_at.timestamp())
        answer = {"access_token": mint(claims), "issued_token_type": JWT, "token_type": "Bearer",
                  "expires_in": seconds, "scope": " ".join(sorted(claims.scopes))}  # fmt: skip
        return _unstored(Response(answer))

    def handle_exception(self, exc: Exception) -> Response:
        """Also what cannot be read is an error of OAuth."""
        if isinstance(exc, APIException) and not isinstance(exc, Throttled):
            said = {"error": "invalid_request", "error_description": "Send a POST with a form-encoded body."}
            return _unstored(Response(said, 400))
        return super().handle_exception(exc)


class _Asked:
    """One request of the token endpoint, read part by part."""

    def __init__(self, data: QueryDict, who: Actor) -> None:
        self._data, self.who = data, who
        self.subject: Actor | None = None
        self.token: Claims | None = None
        self.place: UUID | None = None

    @property
    def organisation(self) -> UUID:
        """Where the subject belongs."""
        if self.place is None:
            raise ExchangeError("invalid_request", "The subject_token belongs to no organisation.")
        return self.place

    def read(self) -> None:
        """Who presents it. Raises ExchangeError, TokenRefusedError."""
        if twice := [name for name in self._data if name not in SEVERAL and len(self._data.getlist(name)) > 1]:
            raise ExchangeError("invalid_request", f"{twice[0][:60]} is given more than once.")
        for name in ("audience", "resource", "scope"):
            given = [word for value in self._data.getlist(name) for word in value.split()]
            if len(given) > MOST or sum(map(len, given)) > LONGEST:
                raise ExchangeError("invalid_request", f"Give at most {MOST} words of {name}, {LONGEST} characters.")
        if self._one("grant_type") != EXCHANGE:
            raise ExchangeError("unsupported_grant_type", f"The grant_type is {EXCHANGE}.")
        token = self._typed("subject_token")
        if self._one("requested_token_type") not in {"", *TYPES}:
            raise ExchangeError("invalid_request", f"The requested_token_type is {JWT}.")
        if prefix_of(token):
            self.subject = actor_of_key(token, request=self.who.request, address=self.who.address)
            if self.subject is None:
                raise ExchangeError("invalid_request", "The subject_token is not in force.")
            self.place = self.subject.organisation
        else:
            self.token = verify(token, audience=REMIT, now=database_now())
            self.place = self.token.organisation

    def exchanged(self) -> Claims:
        """The claims of the new token, in the organisation's transaction. Raises ExchangeError, TokenRefusedError."""
        now = database_now()
        wish = Wish(
            audience=tuple(dict.fromkeys([*self._data.getlist("audience"), *self._data.getlist("resource")])),
            scopes=frozenset(self._one("scope").split()),
        )
        if self.token is None:
            if self.subject is None:
                raise ExchangeError("invalid_request", "Send a subject_token.")
            return for_person(self.subject, self._receiver(), wish, now)
        token = check_token(
            self._one("subject_token"), audience=REMIT, now=now, organisation=self.organisation, once=True
        )  # fmt: skip
        return for_agent(token, self._receiver(token.agent), wish, now)

    def _receiver(self, default: UUID | None = None) -> Receiver:
        """The agent that is to act: of the actor_token, or named by requested_actor, or the one of the subject."""
        named = self._one("requested_actor")
        if self._one("actor_token"):
            now, shown = database_now(), self._typed("actor_token")
            proved = check_token(shown, audience=REMIT, now=now, organisation=self.organisation).agent
            found = _agents(self.organisation).filter(pk=proved).first()
            if named and found is not None and named not in {found.slug, str(found.pk)}:
                raise ExchangeError("invalid_request", "The actor_token is of another agent than requested_actor.")
        elif named:
            found = _agents(self.organisation).filter(_is_named(named)).first()
        elif default is not None:
            found = _agents(self.organisation).filter(pk=default).first()
        else:
            raise ExchangeError("invalid_request", "Say which agent is to act: an actor_token, or requested_actor.")
        if found is None or found.serving is None:
            raise ExchangeError("invalid_request", NOT_LET)
        rights = rights_of_version(found.serving)
        return Receiver(principal=found.principal_id, slug=found.slug, name=found.name, rights=rights)

    def _typed(self, name: str) -> str:
        token, kind = self._one(name), self._one(f"{name}_type")
        if not token or kind not in TYPES:
            raise ExchangeError("invalid_request", f"Send {name}, and {name}_type {ACCESS_TOKEN} or {JWT}.")
        return token

    def _one(self, name: str) -> str:
        return str(self._data.get(name, ""))


def _agents(organisation: UUID) -> Any:
    rows = Agent.objects.filter(organisation_id=organisation, state=AgentState.ACTIVE)
    return rows.filter(sponsor__state=PrincipalState.ACTIVE).select_related("serving")


def _is_named(name: str) -> Q:
    try:
        return Q(slug=name) | Q(pk=UUID(name))
    except ValueError:
        return Q(slug=name)


def _told(asked: _Asked, claims: Claims) -> Any:
    kind = "person" if asked.token is None else "agent"
    details = {"audience": claims.audience, "scopes": sorted(claims.scopes), "delegation": claims.delegation,
               "on_behalf_of": [one.as_json() for one in claims.on_behalf_of], "subject": kind, "jti": claims.jti,
               "expires_at": claims.expires_at}  # fmt: skip
    return entry(
        asked.subject or asked.who, "token.exchange", target_kind="agent", target_id=claims.agent,
        target_name=claims.agent_slug, details=details, organisation=claims.organisation, run=claims.run,
    )  # fmt: skip


def _unstored(answer: Response) -> Response:
    answer.headers["Cache-Control"], answer.headers["Pragma"] = "no-store", "no-cache"
    return answer
