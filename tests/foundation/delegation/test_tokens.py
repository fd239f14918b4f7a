"""A table of what may come instead of a good token. Each is refused, and says why without showing anything of it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from foundation.delegation.keys import public_keys, signing_key
from foundation.delegation.tokens import _REGISTRY, TYPE, Claims, Party, TokenRefusedError, end_of, mint, verify
from foundation.ids import uuid7

NOW = datetime.now(UTC)
OURS, THEIRS, RUN = uuid7(), uuid7(), uuid7()
GOOD = Claims(
    agent=uuid7(), agent_slug="clerk", organisation=OURS, audience=("shop",), scopes=frozenset({"tool:shop.buy"}),
    run=RUN, on_behalf_of=(Party(uuid7(), "person"),), issued_at=NOW, expires_at=end_of(NOW),
)  # fmt: skip


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims() -> dict[str, Any]:
    """The claims of the good token."""
    body = mint(GOOD).split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def header(**changed: Any) -> dict[str, Any]:
    return {"typ": TYPE, "alg": "EdDSA", "kid": signing_key().kid} | changed


def unsigned(alg: str) -> str:
    return f"{_part(header(alg=alg))}.{_part(claims())}."


def by_the_public_key_as_a_secret() -> str:
    """HS256 under what everybody may read: the classic confusion of algorithms."""
    signed = f"{_part(header(alg='HS256'))}.{_part(claims())}"
    secret = base64.urlsafe_b64decode(public_keys()["keys"][0]["x"] + "=")
    return f"{signed}.{_part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def by_a_stranger(**named: Any) -> str:
    key = OKPKey.generate_key("Ed25519")
    return jwt.encode(header(**named), claims(), key, registry=_REGISTRY)


def by_us(changed: dict[str, Any] | None = None, without: str = "", **head: Any) -> str:
    said = {name: value for name, value in (claims() | (changed or {})).items() if name != without}
    return jwt.encode(header(**head), said, signing_key(), registry=_REGISTRY)


def changed_after() -> str:
    head, _, signature = mint(GOOD).split(".")
    return f"{head}.{_part(claims() | {'scope': 'tool:*'})}.{signature}"


BAD: dict[str, Callable[[], str]] = {
    "expired": lambda: mint(replace(GOOD, issued_at=NOW - timedelta(hours=1), expires_at=NOW - timedelta(minutes=50))),
    "expired this second": lambda: mint(replace(GOOD, issued_at=NOW - timedelta(minutes=10), expires_at=NOW)),
    "wrong audience": lambda: mint(replace(GOOD, audience=("bank",))),
    "wrong audiences": lambda: mint(replace(GOOD, audience=("bank", "shopping"))),
    "wrong key": by_a_stranger,
    "wrong key without a name": lambda: by_a_stranger(kid=""),
    "wrong key, named by itself": lambda: by_a_stranger(jwk=OKPKey.generate_key("Ed25519").as_dict(private=False)),
    "wrong key, named by an address": lambda: by_a_stranger(jku="https://evil.example.org/jwks.json"),
    "alg=none": lambda: unsigned("none"),
    "alg=None": lambda: unsigned("None"),
    "no alg": lambda: f"{_part({'typ': TYPE})}.{_part(claims())}.",
    "HS256 under the public key": by_the_public_key_as_a_secret,
    "changed": changed_after,
    "without a signature": lambda: mint(GOOD).rpartition(".")[0] + ".",
    "two parts": lambda: mint(GOOD).rpartition(".")[0],
    "other issuer": lambda: by_us({"iss": "https://evil.example.org"}),
    "no issuer": lambda: by_us(without="iss"),
    "no expiry": lambda: by_us(without="exp"),
    "no audience": lambda: by_us(without="aud"),
    "no organisation": lambda: by_us(without="org"),
    "no name": lambda: by_us(without="jti"),
    "no agent": lambda: by_us(without="sub"),
    "expiry as text": lambda: by_us({"exp": "never"}),
    "lives for a year": lambda: by_us({"exp": int(NOW.timestamp()) + 31_536_000}),
    "made tomorrow": lambda: by_us({"iat": int(NOW.timestamp()) + 86_400, "exp": int(NOW.timestamp()) + 86_460}),
    "another kind of token": lambda: by_us(typ="JWT"),
    "of another organisation": lambda: mint(replace(GOOD, organisation=THEIRS)),
    "of another run": lambda: mint(replace(GOOD, run=uuid7())),
    "of no run": lambda: mint(replace(GOOD, run=None)),
    "an API key": lambda: "rk_0123456789_" + "a" * 64,
    "empty": lambda: "",
    "dots": lambda: "..",
    "not ASCII": lambda: "é.é.é",
    "endless": lambda: mint(GOOD) + "A" * 100_000,
    "JSON that nests": lambda: f"{_part(b'[' * 3000)}.{_part(b'[' * 3000)}.AA",
}


def check(token: str) -> Claims:
    return verify(token, audience="shop", now=NOW, organisation=OURS, run=RUN)


def test_a_good_token_says_who_for_whom_and_in_which_run() -> None:
    found = check(mint(GOOD))
    kept = ("agent", "agent_slug", "organisation", "audience", "scopes", "run", "on_behalf_of", "jti")
    assert [getattr(found, name) for name in kept] == [getattr(GOOD, name) for name in kept]
    assert found.person == GOOD.on_behalf_of[0].principal
    assert (found.expires_at - found.issued_at).total_seconds() == 600


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_refused(name: str) -> None:
    token = BAD[name]()
    with pytest.raises(TokenRefusedError) as refused:
        check(token)
    assert not token or token not in str(refused.value)


def test_the_table_attacks_what_would_count() -> None:
    assert check(by_us()).agent == GOOD.agent


def test_each_of_several_audiences_takes_it() -> None:
    token = mint(replace(GOOD, audience=("shop", "bank")))
    assert check(token) == verify(token, audience="bank", now=NOW)


def test_two_tokens_are_never_the_same() -> None:
    assert mint(replace(GOOD, jti=uuid7())) != mint(replace(GOOD, jti=uuid7()))


@pytest.mark.parametrize("seconds", [0, -1, 601])
def test_nothing_longer_than_ten_minutes_is_made(seconds: int) -> None:
    with pytest.raises(ValueError, match="ten minutes"):
        mint(replace(GOOD, expires_at=NOW + timedelta(seconds=seconds)))


def test_anybody_can_check_one_with_what_is_published() -> None:
    """As docs/agent-identity.md shows it: the public keys, and a library for JSON Web Tokens."""
    key = next(one for one in public_keys()["keys"] if one["kid"] == header()["kid"])
    opened = jwt.decode(mint(GOOD), OKPKey.import_key({name: key[name] for name in ("kty", "crv", "x")}),
                        registry=_REGISTRY)  # fmt: skip
    assert opened.claims["sub"] == str(GOOD.agent)
