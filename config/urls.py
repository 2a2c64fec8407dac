"""URLs of Calltally."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("calls.urls")),
    path("", include("contacts.urls")),
    path("", include("reports.urls")),
    path("", include("live.urls")),
    path("admin/", admin.site.urls),
]

# They answer 503 while the database is down.
handler400 = "reports.unavailable.bad_request"
handler500 = "reports.unavailable.server_error"
