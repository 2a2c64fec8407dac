from django.conf import settings
from django.urls import path, re_path

from calls.health import healthz
from calls.views import receive_post

urlpatterns = [
    # With and without a slash, so that no post is answered with a redirect.
    re_path(rf"^{settings.POSTS_PATH.removeprefix('/')}/?$", receive_post, name="posts"),
    path("healthz", healthz, name="healthz"),
]
