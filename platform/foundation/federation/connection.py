"""OpenID Connect by allauth, with providers from our rows and requests through the one door of outgoing connections."""

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from foundation.errors import InvalidError
from foundation.federation.addresses import PLAIN, is_sealed
from foundation.federation.models import IdentityProvider
from foundation.outbound.client import HTTPError, InvalidURL, Response, client
from foundation.secrets.sealing import unseal

TIMEOUT = 10.0  # seconds for each part of a request to a provider
LONGEST = 20.0  # seconds for the whole of one
FRESHEST = 120.0  # seconds since somebody signed in at the provider, where that was asked for
LARGEST = 1024 * 1024  # bytes of an answer
LEEWAY = 60  # seconds by which the provider's clock may differ
SIGNED_WITH = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
_FAULTS = (
    OAuth2Error, JoseError, HTTPError, InvalidURL, AttributeError, KeyError, RecursionError, TypeError, ValueError
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a provider says of whoever has just signed in there."""

    subject: str
    email: str
    name: str
    groups: frozenset[str]


class OutboundSession:
    """As much of a session of `requests` as allauth uses, over our own client."""

    def __init__(self) -> None:
        self._client = client(
            timeout=TIMEOUT, longest=LONGEST, purpose="single sign-on", max_bytes=LARGEST, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str, **more: Any) -> Response:
        """One request."""
        return self.request("GET", url, **more)

    def request(self, method: str, url: str, *, auth: Any = None, **more: Any) -> Response:
        """One request; `auth` holds a name and a password, as that of `requests` does."""
        pair = (auth.username, auth.password) if auth is not None else None
        return self._client.request(method, url, auth=pair, **more)


class OutboundAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the package has no types
    """What allauth asks this installation: only for a way out."""

    def get_requests_session(self) -> OutboundSession:
        """Never `requests` itself."""
        return OutboundSession()


class Connection(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # the package has no types
    """One provider, for one request of a browser.

    Beyond allauth: PKCE and a nonce always; the token's signature is checked although it came over TLS; the issuer is
    the configured one, letter by letter (OpenID Connect Discovery 1.0, section 4.3).
    """

    def __init__(self, request: HttpRequest, row: IdentityProvider) -> None:
        super().__init__(request, row.slug)
        self._row = row
        app = SocialApp(
            provider="openid_connect",
            provider_id=row.slug,
            name=row.name,
            client_id=row.client_id,
            secret=unseal(row.sealed_secret, context=f"identity-provider:{row.pk}") if row.sealed_secret else "",
            settings={"server_url": row.issuer.rstrip("/"), "uid_field": "sub"},
        )
        self._provider = OpenIDConnectProvider(request, app=app)

    def get_provider(self) -> OpenIDConnectProvider:
        """Ours; allauth's table of providers is not used."""
        return self._provider

    @property
    def basic_auth(self) -> bool:
        """How a secret is presented: the provider says (OpenID Connect Discovery 1.0, section 3), basic by default."""
        methods = self.openid_config.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return bool(self._provider.app.secret) and "client_secret_post" not in methods

    def get_callback_url(self, _request: HttpRequest, _app: SocialApp) -> str:
        """The address that the provider sends people back to."""
        return callback_address(self._row.slug)

    def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself. Raises InvalidError."""
        if not is_sealed(self._row.issuer):
            raise InvalidError(PLAIN, "issuer")
        try:
            found: Mapping[str, Any] = self.openid_config
            stated = str(found["issuer"])
            named = [str(found[name]) for name in _ADDRESSES] + [str(found.get("userinfo_endpoint", self._row.issuer))]
        except _FAULTS as error:
            raise InvalidError(f"{self._row.issuer} does not answer as an identity provider: {_said(error)}") from error
        if stated.rstrip("/") != self._row.issuer.rstrip("/"):
            raise InvalidError(f"The provider calls itself {stated}: enter that as the issuer.", "issuer")
        if not all(map(is_sealed, named)):
            raise InvalidError(f"{self._row.name} names an address that others could listen at. {PLAIN}")
        return found

    def begin(self, after: str, *, again: bool = False) -> str:
        """The address at the provider to send the browser to. `again` asks it to have the person sign in anew."""
        self.metadata()
        challenge = generate_code_challenge()
        nonce = secrets.token_urlsafe(24)
        state = {"next": after, "nonce": nonce, "verifier": challenge.pop("code_verifier"), "again": again}
        oauth = self.get_client(self.request, self._provider.app)
        oauth.state = statekit.stash_state(self.request, provider_id=self.provider_id, state=state)
        extra = {"nonce": nonce, **challenge, **({"prompt": "login", "max_age": "0"} if again else {})}
        address: str = oauth.get_redirect_url(self.authorize_url, ["openid", "profile", "email"], extra)
        return address

    def finish(self) -> tuple[Claims, dict[str, Any]]:
        """Take what the provider sent the browser back with: the claims, and what `begin` kept. Raises InvalidError."""
        kept = self._kept()
        if "code" not in self.request.GET:
            raise InvalidError(f"{self._row.name} did not let you in: {self.request.GET.get('error', 'no code')[:80]}.")
        self.metadata()
        app = self._provider.app
        try:
            oauth = self.get_client(self.request, app)
            answer = self.get_access_token_data(self.request, app, oauth, pkce_code_verifier=kept["verifier"])
            token = self._decode_id_token(app, answer["id_token"])
            more: dict[str, Any] = {}
            if "userinfo_endpoint" in self.openid_config:
                more = self._fetch_user_info(answer["access_token"])
                if more.get("sub") != token["sub"]:
                    raise OAuth2Error("userinfo tells of somebody else")
        except _FAULTS as error:
            raise InvalidError(f"{self._row.name} could not be asked who you are: {_said(error)}") from error
        if not hmac.compare_digest(str(token.get("nonce", "")), kept["nonce"]):
            raise InvalidError("The answer belongs to another sign-in: start again.")
        if kept["again"]:
            self._check_fresh(token.get("auth_time"))
        return self._claims(token, more), kept

    def _check_fresh(self, signed_in: object) -> None:
        """Whoever asks with `max_age` is told `auth_time` (OpenID Connect Core, 2): doubt refuses."""
        if not isinstance(signed_in, int | float):
            raise InvalidError(f"{self._row.name} does not say when you signed in, so this is not taken as anew.")
        if time.time() - signed_in > FRESHEST:
            raise InvalidError(f"{self._row.name} did not ask you to sign in anew: sign out there, and try again.")

    def _kept(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = statekit.unstash_state(
                self.request, provider_id=self.provider_id, state_id=self.request.GET.get("state", ""), raises=True
            )
        except PermissionDenied:
            raise InvalidError("This sign-in was not begun in this browser, or too long ago: start again.") from None
        return kept

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """The claims of a token that is signed by the provider, for us, and in force."""
        with OutboundSession() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
        keys = KeySet.import_key_set(answer.json())
        token = jwt.decode(id_token, keys, algorithms=SIGNED_WITH)
        rules: Any = {name: {"essential": True} for name in ("iat", "exp", "sub")}
        rules |= {"iss": {"essential": True, "value": self.openid_config["issuer"]}}
        rules |= {"aud": {"essential": True, "value": app.client_id}}
        jwt.JWTClaimsRegistry(leeway=LEEWAY, **rules).validate(token.claims)
        return dict(token.claims)

    def _claims(self, token: Mapping[str, Any], more: Mapping[str, Any]) -> Claims:
        """What the two tell together; that one calls an address verified says nothing of an address of the other."""
        email = str(more.get("email") or token.get("email") or "").strip().lower()
        # Some providers say it as a word.
        doubted = any(str(one.get("email_verified", "")).lower() == "false" for one in (token, more))
        if doubted or "@" not in email:
            raise InvalidError(f"{self._row.name} vouches for no e-mail address of yours: ask its administrator.")
        subject = str(token["sub"])
        if not subject or len(subject) > _LONGEST_SUBJECT:
            # Cut, it would be somebody else's.
            raise InvalidError(f"{self._row.name} names you in a way that is not allowed: ask its administrator.")
        said = {**token, **more}
        groups = said.get(self._row.groups_claim) or ()
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else ()
        return Claims(
            subject=subject,
            email=email,
            name=str(said.get("name") or said.get("preferred_username") or email)[:120],
            groups=frozenset(str(one)[:200] for one in listed),
        )


def callback_address(slug: str) -> str:
    """What is to be entered at the provider as the redirect URI."""
    return f"{settings.PUBLIC_URL}/sign-in/with/{slug}/callback/"


def _said(error: Exception) -> str:
    # A provider's answer may hold secrets: only the kind of fault is told, and what our own door says.
    return str(error) if isinstance(error, HTTPError) else type(error).__name__
