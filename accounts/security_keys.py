"""Which security keys may be added: by the algorithm with which they sign.

ES256 and EdDSA are what keys to plug in and phones have. RS256 is what Windows Hello has on many computers."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn.internal.auth import parse_registration_response
from fido2.cose import ES256, ES384, ES512, RS256, EdDSA
from fido2.utils import bytes2int

ALGORITHMS = tuple(key.ALGORITHM for key in (ES256, EdDSA, ES384, ES512, RS256))
LEAST_RSA_BITS = 2048
ALGORITHM, RSA_MODULUS = 3, -1  # in a public key, as COSE numbers them


def offer_only_allowed(options: dict[str, Any]) -> None:
    """Let a browser be asked for the allowed algorithms alone, the best first."""
    options["publicKey"]["pubKeyCredParams"] = [{"type": "public-key", "alg": number} for number in ALGORITHMS]


def is_allowed(credential: dict[str, Any]) -> bool:
    """Return whether a new key signs with an allowed algorithm: what a browser sends need not be what it was asked."""
    registered = parse_registration_response(credential).response.attestation_object.auth_data
    if registered.credential_data is None:
        return False
    key = registered.credential_data.public_key
    if key[ALGORITHM] == RS256.ALGORITHM and bytes2int(key[RSA_MODULUS]).bit_length() < LEAST_RSA_BITS:
        return False
    return key[ALGORITHM] in ALGORITHMS
