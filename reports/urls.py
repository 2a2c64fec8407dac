from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import TemplateView

from accounts.invitations import AcceptInvitation
from accounts.own_password import ChangePassword
from accounts.session_views import left
from reports.views import (
    busy_hours,
    call,
    call_files,
    calls,
    coverage,
    downloads,
    files,
    forwards,
    glossary,
    moved,
    numbers,
    overview,
    system,
    trend,
)
from reports.views import sessions as session_pages
from reports.views.number import all_parts, by_hour, comparison, data, forwarding, summary, waiting

urlpatterns = [
    path("", overview.home, name="home"),
    path("reports/", overview.overview, name="overview"),
    path("reports/numbers/", numbers.numbers, name="numbers"),
    path("reports/numbers/<int:pk>/", summary.summary, name="number"),
    path("reports/numbers/<int:pk>/waiting/", waiting.waiting, name="number_waiting"),
    path("reports/numbers/<int:pk>/by-hour/", by_hour.by_hour, name="number_by_hour"),
    path("reports/numbers/<int:pk>/forwarding/", forwarding.forwarding, name="number_forwarding"),
    path("reports/numbers/<int:pk>/comparison/", comparison.compared, name="number_comparison"),
    path("reports/numbers/<int:pk>/data/", data.data, name="number_data"),
    path("reports/numbers/<int:pk>/all/", all_parts.all_parts, name="number_all"),
    path("reports/coverage/", coverage.coverage, name="coverage"),
    path("reports/glossary/", glossary.glossary, name="glossary"),
    path("reports/definitions/", moved.Moved.as_view(pattern_name="glossary"), name="definitions"),
    path("reports/forwards/", forwards.forwards, name="forwards"),
    path("reports/forwards.csv", downloads.forwards_csv, name="forwards_csv"),
    path("reports/forwards.xlsx", downloads.forwards_xlsx, name="forwards_xlsx"),
    path("reports/busy-hours/", busy_hours.busy_hours, name="busy_hours"),
    path("reports/trend/", trend.trend, name="trend"),
    path("reports/when/", moved.When.as_view(), name="when"),
    path("reports/calls/", calls.calls, name="calls"),
    path("reports/calls/whole/", call_files.whole_callers, name="whole_callers"),
    path("reports/calls/<int:pk>/", call.call, name="call"),
    path("reports/system/", system.system, name="system"),
    path("reports/files/", files.files, name="files"),
    path("reports/files/new/", files.new, name="new_file"),
    path("reports/files/<uuid:pk>/", files.file, name="file"),
    path("reports/files/<uuid:pk>.xlsx", files.download, name="download_file"),
    path("reports/counts.csv", downloads.counts_csv, name="counts_csv"),
    path("reports/counts.xlsx", downloads.counts_xlsx, name="counts_xlsx"),
    path("reports/blocks.xlsx", downloads.blocks_xlsx, name="blocks_xlsx"),
    path("reports/calls.xlsx", call_files.calls_xlsx, name="calls_xlsx"),
    path("reports/times.csv", downloads.times_csv, name="times_csv"),
    path("reports/times.xlsx", downloads.times_xlsx, name="times_xlsx"),
    path("reports/peaks.csv", downloads.peaks_csv, name="peaks_csv"),
    path("reports/peaks.xlsx", downloads.peaks_xlsx, name="peaks_xlsx"),
    path("reports/week.csv", downloads.week_csv, name="week_csv"),
    path("reports/week.xlsx", downloads.week_xlsx, name="week_xlsx"),
    path("reports/coverage.csv", downloads.coverage_csv, name="coverage_csv"),
    path("reports/coverage.xlsx", downloads.coverage_xlsx, name="coverage_xlsx"),
    path("reports/planner.csv", downloads.planner_csv, name="planner_csv"),
    path("reports/blocks.csv", downloads.blocks_csv, name="blocks_csv"),
    path("reports/calls.csv", call_files.calls_csv, name="calls_csv"),
    path("accounts/sessions/", session_pages.own_sessions, name="sessions"),
    path("accounts/sessions/left", left, name="session_left"),
    path("accounts/password_change/", ChangePassword.as_view(), name="password_change"),
    path(
        "accounts/password_change/done/",
        auth.PasswordChangeDoneView.as_view(template_name="registration/password_changed.html"),
        name="password_change_done",
    ),
    path("accounts/invitation/", AcceptInvitation.as_view(), name="invitation"),
    path(
        "accounts/invitation/done/",
        TemplateView.as_view(template_name="registration/invitation_accepted.html"),
        name="invitation_accepted",
    ),
]
