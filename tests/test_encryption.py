"""Secrets for other systems are encrypted at rest, and stay readable when a key is set or replaced."""

import pytest

from accounts.encryption import NotReadable, decrypt, encrypt

SECRET = "Bearer of the CRM, äöü"


def test_an_encrypted_secret_shows_nothing_and_differs_each_time():
    first, second = encrypt(SECRET), encrypt(SECRET)
    assert first != second
    assert "CRM" not in first
    assert decrypt(first) == decrypt(second) == SECRET


def test_secrets_stay_readable_when_the_key_is_set_and_when_it_is_replaced(settings):
    settings.ENCRYPTION_KEYS = []
    at_first = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = ["first" * 8]
    with_key = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = ["second" * 8, "first" * 8]
    assert decrypt(at_first) == decrypt(with_key) == SECRET

    settings.ENCRYPTION_KEYS = ["second" * 8]
    with pytest.raises(NotReadable):
        decrypt(with_key)
    settings.ENCRYPTION_KEYS, settings.SECRET_KEY = ["first" * 8], "another" * 10
    assert decrypt(with_key) == SECRET
    with pytest.raises(NotReadable):
        decrypt(at_first)
