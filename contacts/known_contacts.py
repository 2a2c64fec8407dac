"""Contacts as they are read where callers are looked up: by SQL, without the cost of a model."""

from __future__ import annotations

from typing import NamedTuple


class KnownContact(NamedTuple):
    """What is known of a contact. `label` is that of the number that matched; blank if none did."""

    pk: int
    source: str
    external_id: str
    name: str
    company: str
    url: str
    note: str
    customer_number: str
    important: bool
    search_key: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.company})" if self.name and self.company else self.name or self.company


# In the order of KnownContact, without the label.
COLUMNS = "id, source, external_id, name, company, url, note, customer_number, important, search_key"
