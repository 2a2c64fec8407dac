"""What the first start has to say once is said, also if the start ends before it could be printed."""

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from config import first_start, unsaid

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(settings, tmp_path, monkeypatch):
    for name in ("USERNAME", "PASSWORD", "EMAIL"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
    settings.HOME = tmp_path
    return tmp_path


def password_in(login):
    (password,) = re.findall(r"^admin +Password: (\S+)", login)
    return password


def test_a_password_that_was_never_printed_is_replaced_and_no_file_has_it(home):
    lost = password_in(first_start.make_superuser())
    again = password_in(first_start.make_superuser())
    assert again != lost
    assert User.objects.get().check_password(again)
    (kept,) = home.iterdir()
    assert again not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0

    unsaid.forget(home)
    assert "with its password" in first_start.make_superuser()
    assert User.objects.get().check_password(again)
    assert not list(home.iterdir())


@pytest.mark.parametrize("what", ["sets another", "signs in"])
def test_a_password_that_somebody_set_or_used_stays(home, what):
    first_start.make_superuser()
    admin = User.objects.get()
    if what == "sets another":
        admin.set_password("lampenschirm kaffeetasse")
    else:
        admin.last_login = timezone.now()
    admin.save()
    assert "with its password" in first_start.make_superuser()
    assert User.objects.get().password == admin.password


def test_a_given_password_is_not_replaced(home, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "lampenschirm kaffeetasse")
    assert "with the password of DJANGO_SUPERUSER_PASSWORD" in first_start.make_superuser()
    assert "with its password" in first_start.make_superuser()
    assert User.objects.get().check_password("lampenschirm kaffeetasse")
