"""The menu of the settings, which are Django's admin: its groups, and what each of them leads to."""

from django.utils.translation import gettext_lazy as _

# An entry is the label of a model, whose list it opens, or the name of another page and its title.
GROUPS = [
    (
        _("Numbers"),
        ["calls.destinationnumber", "calls.openinghours", "calls.accesskey", "calls.senderpolicy"],
    ),
    (
        _("People"),
        ["auth.user", "auth.group", "contacts.agentdestination", "live.numberrings"],
    ),
    (
        _("Connections"),
        [
            *("contacts.contact", "live.endpoint", "live.delivery", "contacts.contactkey", "live.boardkey"),
            *("contacts.linktemplate", "contacts.lookup", "contacts.typednumber"),
        ],
    ),
    (
        _("Problems"),
        ["calls.refusedpost", ("live:why", _("Why no pop"))],
    ),
    (
        _("Technical"),
        [
            *("calls.call", "calls.callevent", "accounts.auditentry", "reports.firstpost"),
            *("reports.quarterhourcounts", "reports.daycounts"),
            *("reports.quarterhourblockcounts", "reports.dayblockcounts"),
        ],
    ),
]
