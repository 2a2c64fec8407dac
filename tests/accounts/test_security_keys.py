"""Security keys: which algorithms are offered and taken. The keys are made up; a browser is in tests/browser."""

import json

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.test import Client
from fido2.cose import ES256, ES256K, RS256, CoseKey, EdDSA
from fido2.utils import sha256, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from tests.factories import PASSWORD, make_user
from tests.totp import BASE, sign_in

pytestmark = pytest.mark.django_db

ADD = f"{BASE}security-keys/add/"
HOST = "testserver"
ID = b"made up"


def of_curve(curve):
    return ec.generate_private_key(curve).public_key()


def of_rsa(bits):
    return rsa.generate_private_key(65537, bits).public_key()


def answer_of(challenge: str, key: CoseKey) -> str:
    """Return what a browser sends of a new key."""
    registered = AttestedCredentialData.create(Aaguid.NONE, ID, key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(sha256(HOST.encode()), flags, 0, registered)
    client = CollectedClientData.create("webauthn.create", challenge, f"https://{HOST}")
    response = {
        "clientDataJSON": websafe_encode(client),
        "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
    }
    name = websafe_encode(ID)
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


@pytest.fixture
def asked(client):
    """What the page asks a browser for."""
    make_user("anna")
    sign_in(client, "anna", PASSWORD)
    return client.get(ADD).context["js_data"]["creation_options"]["publicKey"]


def test_the_page_asks_for_keys_with_allowed_algorithms(asked):
    algorithms = [offered["alg"] for offered in asked["pubKeyCredParams"]]

    assert algorithms[:2] == [ES256.ALGORITHM, EdDSA.ALGORITHM]
    assert RS256.ALGORITHM in algorithms
    assert ES256K.ALGORITHM not in algorithms


@pytest.mark.parametrize(
    ("kind", "make", "is_taken"),
    [
        (ES256, lambda: of_curve(ec.SECP256R1()), True),
        (EdDSA, lambda: ed25519.Ed25519PrivateKey.generate().public_key(), True),
        (RS256, lambda: of_rsa(2048), True),
        (RS256, lambda: of_rsa(1024), False),
        (ES256K, lambda: of_curve(ec.SECP256K1()), False),
    ],
)
def test_a_key_is_taken_by_its_algorithm(client, asked, kind, make, is_taken):
    key = kind.from_cryptography_key(make())

    page = client.post(ADD, {"name": "Blue key", "credential": answer_of(asked["challenge"], key)})

    assert (page.status_code == 302) is is_taken
    assert Authenticator.objects.filter(type="webauthn").exists() is is_taken
    assert is_taken or "The key was not added" in page.content.decode()


def test_a_key_gets_another_name_from_its_person_alone(client, asked):
    key = ES256.from_cryptography_key(of_curve(ec.SECP256R1()))
    client.post(ADD, {"name": "Blue key", "credential": answer_of(asked["challenge"], key)})
    rename = f"{BASE}security-keys/{Authenticator.objects.get(type='webauthn').pk}/rename/"
    assert rename in client.get(BASE).content.decode()
    assert 'value="Blue key"' in client.get(rename).content.decode()

    assert client.post(rename, {"name": "Key <b>at home</b>"})["Location"] == BASE

    assert "Key &lt;b&gt;at home&lt;/b&gt;" in client.get(BASE).content.decode()
    assert client.post(rename, {"name": "x" * 61}).status_code == 200
    make_user("mona")
    other = Client()
    sign_in(other, "mona", PASSWORD)
    assert other.post(rename, {"name": "mine"}).status_code == 404
    assert Authenticator.objects.get(type="webauthn").wrap().name == "Key <b>at home</b>"
