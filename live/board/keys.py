"""Keys of screens on the wall: creates and revokes them, and remembers a screen by a cookie. A key is returned once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone

from calls import keys
from live.models import BoardKey

NOTED_EVERY = timedelta(minutes=1)
# The name of a screen's cookie before it had a prefix behind HTTPS. Screens that have it go on until it expires.
COOKIE_WITHOUT_PREFIX = "calltally_board"
SALT = "live.board"
# Browsers keep no cookie for longer; the key ends sooner if it has a last day.
REMEMBERED_FOR = timedelta(days=400)
LONGEST_KEY = 100


def issue(board_key: BoardKey) -> str:
    """Store a new row with a key. Return the key: it is never shown again. Raise ValidationError."""
    key = keys.generate()
    board_key.fingerprint, board_key.last4 = keys.fingerprint(key), key[-4:]
    board_key.full_clean()
    board_key.save()
    return key


def revoke(board_key: BoardKey) -> bool:
    """Close all screens with this key; return whether it was not revoked before."""
    return bool(BoardKey.objects.filter(pk=board_key.pk, revoked_at=None).update(revoked_at=timezone.now()))


def entered(key: str) -> BoardKey | None:
    """Return the row of a key that opens the board today; None for any other text."""
    if not key or len(key) > LONGEST_KEY:
        return None
    return BoardKey.objects.live().filter(fingerprint=keys.fingerprint(key)).first()


def remember(response: HttpResponse, board_key: BoardKey) -> None:
    """Let the browser of a screen show the board from now on, by a cookie that says which key was entered.

    Scripts cannot read it, and it signs in nowhere."""
    response.set_cookie(
        settings.BOARD_COOKIE_NAME,
        signing.dumps([board_key.pk, board_key.fingerprint[:16]], salt=SALT),
        max_age=REMEMBERED_FOR,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def cookie_of(cookies: Mapping[str, str]) -> str:
    """Return the cookie of a screen; blank if there is none."""
    return cookies.get(settings.BOARD_COOKIE_NAME) or cookies.get(COOKIE_WITHOUT_PREFIX, "")


def remembered(cookie: str) -> BoardKey | None:
    """Return the key of a screen by its cookie, if it opens the board today."""
    try:
        pk, beginning = signing.loads(cookie, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    board_key: BoardKey | None = BoardKey.objects.live().filter(pk=pk, fingerprint__startswith=beginning).first()
    return board_key


def numbers_of(board_keys: Collection[int]) -> dict[int, frozenset[int] | None]:
    """Return the ids of the numbers that each of these keys shows today, None for all; without keys that have ended."""
    rows = BoardKey.objects.live().filter(pk__in=board_keys).prefetch_related("numbers")
    return {row.pk: shown_by(row) for row in rows}


def shown_by(board_key: BoardKey) -> frozenset[int] | None:
    """Return the ids of the numbers that a key shows; None for all."""
    return None if board_key.is_for_all else frozenset(number.pk for number in board_key.numbers.all())


def note_use(board_keys: Collection[int]) -> None:
    """Note that keys are used, to the minute: not each request writes."""
    now = timezone.now()
    used = BoardKey.objects.filter(pk__in=board_keys)
    used.exclude(last_used_at__gt=now - NOTED_EVERY).update(last_used_at=now)
