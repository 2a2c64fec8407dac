"""Admin pages of contacts and of links into other systems. That of agents shows how often each rang: reports.admin."""

# Importing a module registers its pages.
from contacts.admin import contact_keys, contacts, link_templates, lookups  # noqa: F401
