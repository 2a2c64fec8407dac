"""Admin pages of contacts, links into other systems and typed numbers. That of agents has figures: reports.admin."""

# Importing a module registers its pages.
from contacts.admin import contact_keys, contacts, link_templates, lookups, typed_numbers  # noqa: F401
