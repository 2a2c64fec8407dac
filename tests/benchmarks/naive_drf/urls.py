from django.urls import path

from tests.benchmarks.naive_drf.views import PostView

urlpatterns = [path("tenios/posts", PostView.as_view())]
