"""The models of contacts. Import them from this package, not from its modules."""

from contacts.models.agents import AgentDestination, name_of, normalised
from contacts.models.call_notes import CallNote, NoteResult
from contacts.models.contact_keys import ContactKey
from contacts.models.contacts import Contact, ContactNumber, validate_source
from contacts.models.link_templates import LinkTemplate, OpensIn, ShownWhen
from contacts.models.lookups import Lookup, LookupAnswer
from contacts.models.uploads import ContactUpload

__all__ = [
    "AgentDestination",
    "CallNote",
    "Contact",
    "ContactKey",
    "ContactNumber",
    "ContactUpload",
    "LinkTemplate",
    "Lookup",
    "LookupAnswer",
    "NoteResult",
    "OpensIn",
    "ShownWhen",
    "name_of",
    "normalised",
    "validate_source",
]
