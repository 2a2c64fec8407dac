"""Admin pages of contacts, links into other systems and typed numbers. That of agents has figures: reports.admin."""

# Importing a module registers its pages.
from contacts.admin import contacts, link_templates, typed_numbers  # noqa: F401
