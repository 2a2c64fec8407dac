"""Admin pages of numbers, access, opening hours, keys, posts and senders. Those of calls and counts: reports.admin."""

# Importing a module registers its pages.
from calls.admin import access, access_keys, events, numbers, opening_hours, refused_posts, senders  # noqa: F401
