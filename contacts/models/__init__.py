"""The models of contacts. Import them from this package, not from its modules."""

from contacts.models.agents import AgentDestination, name_of, normalised
from contacts.models.call_notes import CallNote, NoteResult
from contacts.models.contact_keys import ContactKey
from contacts.models.contacts import Contact, ContactNumber, validate_source
from contacts.models.link_templates import LinkTemplate, OpensIn, ShownWhen
from contacts.models.lookups import Lookup, LookupAnswer
from contacts.models.typed_numbers import LONGEST_VARIABLE, TypedKind, TypedNumber
from contacts.models.uploads import ContactUpload

__all__ = [
    "LONGEST_VARIABLE",
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
    "TypedKind",
    "TypedNumber",
    "name_of",
    "normalised",
    "validate_source",
]
