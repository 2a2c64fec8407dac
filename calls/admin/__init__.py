"""Admin pages of numbers, opening hours, keys, posts and senders. Those of calls and counts are in reports.admin."""

# Importing a module registers its pages.
from calls.admin import access_keys, events, numbers, opening_hours, refused_posts, senders  # noqa: F401
