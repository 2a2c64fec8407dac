"""Numbers, their hours and keys, posts and senders in the admin. Calls and counts stand in reports.admin."""

# Each registers its pages.
from calls.admin import access_keys, events, numbers, opening_hours, refused_posts, senders  # noqa: F401
