"""Admin pages that import contacts from a file: upload, preview, import, result."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from contacts import importing, uploads
from contacts.importing import FileRefused
from contacts.models import Contact, ContactUpload, validate_source

FIELDS = {
    "": _("not read"),
    "external_id": _("Id in its source"),
    "name": _("Name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "company": _("Company"),
    "customer_number": _("Customer number"),
    "phone": _("Phone number"),
    "company_phone": _("Phone number with extensions"),
    "url": _("Link"),
    "note": _("Note"),
    "important": _("Important"),
}
COLUMN = "column-"
# At most this many refused rows are explained in a preview; a file has all of them after the import.
MOST_REFUSED = 10


class UploadForm(forms.Form):
    """Asks for a file of contacts and the system that it comes from."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV (.csv, .tsv, .txt), or vCard 3 or 4 (.vcf, .vcard)."),
        widget=forms.FileInput(attrs={"accept": importing.ENDINGS}),
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=40,
        validators=[validate_source],
        help_text=_(
            "The system that the file comes from, for example crm. The next file of the same source updates its "
            "contacts."
        ),
    )


class ImportPages(admin.ModelAdmin):
    """The pages of an import. Only who uploaded a file sees it; for others it does not exist."""

    def get_urls(self) -> list[Any]:
        wrapped = self.admin_site.admin_view
        return [
            path("import/", wrapped(self.import_view), name="contacts_contact_import"),
            path("import/<uuid:upload>/", wrapped(self.upload_view), name="contacts_contact_upload"),
            path("import/<uuid:upload>/refused/", wrapped(self.refused_view), name="contacts_contact_refused"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file; keep it and lead to its preview."""
        self._require_permission(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file, source = form.cleaned_data["file"], form.cleaned_data["source"]
            try:
                # One byte more than allowed is enough to refuse it.
                upload = uploads.keep(file.read(uploads.MOST_BYTES + 1), file.name, source, request.user)
            except FileRefused as error:
                form.add_error("file", str(error))
            else:
                return HttpResponseRedirect(self._address(upload))
        context = self._import_context(request) | {"form": form, "most_rows": uploads.MOST_ROWS}
        return TemplateResponse(request, "admin/contacts/contact/import.html", context)

    def upload_view(self, request: HttpRequest, upload: UUID) -> HttpResponse:
        """Show what a file would do, and import it; then show what it did."""
        shown = self._upload(request, upload)
        if request.method == "POST" and shown.imported_at is None:
            try:
                self._posted(request, shown)
            except FileRefused as error:
                self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self._address(shown))
        context = self._import_context(request) | {"upload": shown, "counts": shown.counts}
        if shown.imported_at:
            return TemplateResponse(request, "admin/contacts/contact/imported.html", context)
        context |= self._previewed(shown) | {"may_remove": self.has_delete_permission(request)}
        return TemplateResponse(request, "admin/contacts/contact/import_preview.html", context)

    def refused_view(self, request: HttpRequest, upload: UUID) -> HttpResponse:
        """Return the rows that an import refused, with the reasons, as a file that can be corrected and imported."""
        shown = self._upload(request, upload)
        if not shown.refused:
            raise Http404
        headers = {"Content-Disposition": 'attachment; filename="refused.csv"'}
        return HttpResponse(shown.refused, content_type="text/csv; charset=utf-8", headers=headers)

    def _posted(self, request: HttpRequest, upload: ContactUpload) -> None:
        """Import an upload, or read its columns as other fields."""
        if "import" not in request.POST:
            headers = uploads.opened(upload).headers
            chosen = {header: request.POST.get(f"{COLUMN}{n}", "") for n, header in enumerate(headers)}
            uploads.map_columns(upload, chosen)
            return
        removes = "remove" in request.POST and self.has_delete_permission(request)
        if uploads.run(upload, remove_missing=removes):
            editor: Any = request.user
            LogEntry.objects.create(
                user=editor,
                content_type=ContentType.objects.get_for_model(Contact),
                object_repr=f"{upload.name} ({upload.source})"[:200],
                action_flag=ADDITION,
                change_message=gettext("Imported."),
            )
            counts = {"source": upload.source, "removes": removes, **upload.counts}
            write(Action.OBJECT_CHANGED, Subject(Contact._meta.label_lower), after={"done": ["Imported."], **counts})

    def _previewed(self, upload: ContactUpload) -> dict[str, Any]:
        file = uploads.opened(upload)
        columns = getattr(file, "columns", ())
        shown = {
            "preview": importing.preview(file),
            "columns": [(f"{COLUMN}{n}", column.header, column.field) for n, column in enumerate(columns)],
            "fields": FIELDS.items(),
            "headers": file.headers,
        }
        try:
            uploads.check_rows(file)
        except FileRefused as error:
            return shown | {"problem": str(error), "columns": []}
        try:
            result = importing.run(file, upload.source, dry_run=True)
        except FileRefused as error:
            # Columns that are not enough yet can be read as other fields.
            return shown | {"problem": str(error)}
        return shown | {"refused": result.refused[:MOST_REFUSED], "counts": uploads.counts_of(result)}

    def _upload(self, request: HttpRequest, pk: UUID) -> ContactUpload:
        self._require_permission(request)
        upload = ContactUpload.objects.filter(pk=pk, user=request.user.pk).first()
        if upload is None:
            raise Http404
        return upload

    def _require_permission(self, request: HttpRequest) -> None:
        if not (self.has_add_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied

    def _address(self, upload: ContactUpload) -> str:
        return reverse("admin:contacts_contact_upload", args=[upload.pk])

    def _import_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": gettext("Import contacts")}
