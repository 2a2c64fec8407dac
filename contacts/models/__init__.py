"""The models of contacts. Import them from this package, not from its modules."""

from contacts.models.agents import AgentDestination, name_of, normalised
from contacts.models.contact_keys import ContactKey
from contacts.models.contacts import Contact, ContactNumber, validate_source

__all__ = [
    "AgentDestination",
    "Contact",
    "ContactKey",
    "ContactNumber",
    "name_of",
    "normalised",
    "validate_source",
]
