"""Addresses of the schedules' and triggers' pages."""

from django.urls import path, re_path
from django.urls.converters import UUIDConverter

from agents.schedules import edit_views, trigger_views, views

urlpatterns = [
    path("schedules/", views.Schedules.as_view(), name="schedules"),
    path("schedules/new", edit_views.NewSchedule.as_view(), name="schedule-new"),
    path("schedules/<uuid:schedule_id>/", views.SchedulePage.as_view(), name="schedule"),
    path("schedules/<uuid:schedule_id>/change", edit_views.ChangeSchedule.as_view(), name="schedule-change"),
    path("schedules/<uuid:schedule_id>/run/", views.ScheduleRun.as_view(), name="schedule-run"),
    re_path(
        rf"^schedules/(?P<schedule_id>{UUIDConverter.regex})/(?P<verb>enable|disable|delete)/$",
        views.ScheduleAct.as_view(),
        name="schedule-act",
    ),
    path("triggers/", trigger_views.Triggers.as_view(), name="triggers"),
    path("triggers/new", trigger_views.NewTrigger.as_view(), name="trigger-new"),
    path("triggers/<uuid:trigger_id>/", trigger_views.TriggerPage.as_view(), name="trigger"),
    path("triggers/<uuid:trigger_id>/rotate/", trigger_views.Rotate.as_view(), name="trigger-rotate"),
    re_path(
        rf"^triggers/(?P<trigger_id>{UUIDConverter.regex})/(?P<verb>enable|disable|delete)/$",
        trigger_views.TriggerAct.as_view(),
        name="trigger-act",
    ),
]
