from django.contrib.auth import views as auth
from django.urls import path

from reports import views

urlpatterns = [
    path("", views.home, name="home"),
    path("reports/", views.overview, name="overview"),
    path("reports/numbers/<int:pk>/", views.number, name="number"),
    path("reports/coverage/", views.coverage, name="coverage"),
    path("reports/definitions/", views.definitions, name="definitions"),
    path("reports/when/", views.when, name="when"),
    path("reports/calls/", views.calls, name="calls"),
    path("reports/calls/<int:pk>/", views.call, name="call"),
    path("reports/system/", views.system, name="system"),
    path("reports/counts.csv", views.counts_csv, name="counts_csv"),
    path("reports/counts.xlsx", views.counts_xlsx, name="counts_xlsx"),
    path("reports/blocks.xlsx", views.blocks_xlsx, name="blocks_xlsx"),
    path("reports/calls.xlsx", views.calls_xlsx, name="calls_xlsx"),
    path("reports/planner.csv", views.planner_csv, name="planner_csv"),
    path("reports/blocks.csv", views.blocks_csv, name="blocks_csv"),
    path("reports/calls.csv", views.calls_csv, name="calls_csv"),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path(
        "accounts/password_change/",
        auth.PasswordChangeView.as_view(template_name="registration/change_password.html"),
        name="password_change",
    ),
    path(
        "accounts/password_change/done/",
        auth.PasswordChangeDoneView.as_view(template_name="registration/password_changed.html"),
        name="password_change_done",
    ),
]
