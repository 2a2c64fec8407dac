from django.urls import path

from live import pages, views
from live.board import pages as board

app_name = "live"
urlpatterns = [
    path("live/", pages.my_calls, name="my_calls"),
    path("live/board", board.board, name="board"),
    path("live/board/key", board.enter_key, name="board_key"),
    path("live/board/state", board.state, name="board_state"),
    path("live/why/", pages.why, name="why"),
    path("live/profile", pages.save_profile, name="profile"),
    path("live/lead-time/<int:pk>/", pages.number_lead_time, name="lead_time"),
    path("live/state", views.state, name="state"),
    path("live/shown", views.shown, name="shown"),
    path("live/test", views.test, name="test"),
    path("live/note", views.note, name="note"),
]
