"""Labels of block types."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

BLOCK_LABELS = {
    "BRIDGE": gettext_lazy("Forwarding"),
    "ANNOUNCEMENT": gettext_lazy("Announcement"),
    "SAY": gettext_lazy("Spoken text"),
    "ROUTINGPLAN": gettext_lazy("Sub-plan"),
    "COLLECT_DIGITS": gettext_lazy("Key input"),
    "COLLECT_SPEECH": gettext_lazy("Voice input"),
    "HANGUP": gettext_lazy("Hang-up"),
    "CALL_SETTINGS": gettext_lazy("Call settings"),
    "REFER": gettext_lazy("Transfer"),
}


def block_label(block_type: str) -> str:
    """Return the label of a block type; an unknown type keeps its own name."""
    return str(BLOCK_LABELS.get(block_type, block_type or _("without a name")))
