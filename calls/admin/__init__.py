"""Numbers, their hours and keys, posts, senders and users in the admin. Calls and counts stand in reports.admin."""

from calls.admin import accesskeys, events, hours, numbers, refused, senders, users  # noqa: F401 (each registers its pages)
