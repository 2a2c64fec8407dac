"""Numbers, their hours and keys, posts, senders and users in the admin. Calls and counts stand in reports.admin."""

from calls.admin import access_keys, events, numbers, opening_hours, refused_posts, senders, users  # noqa: F401 (each registers its pages)
