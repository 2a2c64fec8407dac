"""URLs of contacts."""

from django.urls import path

from contacts.views import ContactView

urlpatterns = [
    path("api/contacts/<str:source>/<path:external_id>", ContactView.as_view(), name="contact"),
]
