"""A passkey in software (WebAuthn level 2): it signs as a device does, and checks its holder only if it is told to."""

import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

ORIGIN = "https://testserver"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class SoftwarePasskey:
    """One credential; `make` is to be called once, before `sign`."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = os.urandom(16)
        self._party = self._handle = b""

    def make(self, offer: dict[str, Any]) -> str:
        """What a browser answers to an offer of the product (PublicKeyCredentialCreationOptions), as JSON."""
        asked = offer["publicKey"]
        self._party = hashlib.sha256(asked["rp"]["id"].encode()).digest()
        self._handle = websafe_decode(asked["user"]["id"])
        kept = AttestedCredentialData.create(Aaguid.NONE, self._id, ES256.from_cryptography_key(self._key.public_key()))
        data = AuthenticatorData.create(self._party, PRESENT | VERIFIED | ATTESTED, 0, kept)
        return self._told(
            asked, "webauthn.create", attestationObject=websafe_encode(AttestationObject.create("none", data, {}))
        )

    def sign(self, asked: dict[str, Any], *, verified: bool) -> str:
        """What a browser answers to a request (PublicKeyCredentialRequestOptions), as JSON."""
        data = AuthenticatorData.create(self._party, PRESENT | (VERIFIED if verified else 0), 0)
        client = self._client(asked["publicKey"], "webauthn.get")
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._told(
            asked["publicKey"], "webauthn.get", authenticatorData=websafe_encode(data),
            signature=websafe_encode(signature), userHandle=websafe_encode(self._handle),
        )  # fmt: skip

    def _client(self, asked: dict[str, Any], kind: str) -> bytes:
        said = {"type": kind, "challenge": asked["challenge"], "origin": ORIGIN, "crossOrigin": False}
        return json.dumps(said).encode()

    def _told(self, asked: dict[str, Any], kind: str, **response: str) -> str:
        own = websafe_encode(self._id)
        return json.dumps({
            "id": own, "rawId": own, "type": "public-key", "clientExtensionResults": {"credProps": {"rk": True}},
            "response": {"clientDataJSON": websafe_encode(self._client(asked, kind)), **response},
        })  # fmt: skip
