"""Addresses of the runs', sessions' and workers' pages."""

from django.urls import path

from agents.runs.compare_views import Compare, CompareWith
from agents.runs.control_views import Fork, Pause, Replay, Resume, Retry
from agents.runs.question_views import CallbackSecret, Question
from agents.runs.session_acts import Close, Continue, Export, Move, NewSession
from agents.runs.session_files import Download, SaveFile
from agents.runs.session_memory import ForgetMemory, SetMemory
from agents.runs.session_views import SessionPage, Sessions
from agents.runs.views import Cancel, Resolve, Runs, Start
from agents.runs.worker_views import Workers

urlpatterns = [
    path("runs/", Runs.as_view(), name="runs"),
    path("runs/new", Start.as_view(), name="run-start"),
    path("runs/<uuid:run_id>/cancel/", Cancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/steps/<int:number>/resolve/", Resolve.as_view(), name="run-resolve"),
    path("runs/<uuid:run_id>/pause/", Pause.as_view(), name="run-pause"),
    path("runs/<uuid:run_id>/resume/", Resume.as_view(), name="run-resume"),
    path("runs/<uuid:run_id>/retry", Retry.as_view(), name="run-retry"),
    path("runs/<uuid:run_id>/fork", Fork.as_view(), name="run-fork"),
    path("runs/<uuid:run_id>/replay", Replay.as_view(), name="run-replay"),
    path("runs/<uuid:run_id>/compare", CompareWith.as_view(), name="run-compare-with"),
    path("runs/<uuid:run_id>/compare/<uuid:other_id>/", Compare.as_view(), name="run-compare"),
    path("sessions/", Sessions.as_view(), name="sessions"),
    path("sessions/<uuid:session_id>/", SessionPage.as_view(), name="session"),
    path("sessions/new", NewSession.as_view(), name="session-new"),
    path("sessions/<uuid:session_id>/continue", Continue.as_view(), name="session-continue"),
    path("sessions/<uuid:session_id>/move", Move.as_view(), name="session-move"),
    path("sessions/<uuid:session_id>/close/", Close.as_view(), name="session-close"),
    path("sessions/<uuid:session_id>/export.json", Export.as_view(), name="session-export"),
    path("sessions/<uuid:session_id>/memory/new", SetMemory.as_view(), name="session-remember"),
    path("sessions/<uuid:session_id>/memory/forget/", ForgetMemory.as_view(), name="session-forget"),
    path("sessions/<uuid:session_id>/files/new", SaveFile.as_view(), name="session-save"),
    path("sessions/<uuid:session_id>/files/<uuid:artifact_id>", Download.as_view(), name="session-file"),
    path("questions/<uuid:question_id>/", Question.as_view(), name="question"),
    path("callbacks/<uuid:callback_id>/secret/", CallbackSecret.as_view(), name="callback-secret"),
    path("workers/", Workers.as_view(), name="workers"),
]
