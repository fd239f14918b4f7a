"""Addresses of the console's own pages, and of those that show agents and governance together."""

from django.urls import include, path

from console.views import agents, audit, home, keys, people, runs, search, sign_in, single_sign_on, teams, well_known

urlpatterns = [
    path("", home.Home.as_view(), name="home"),
    path("", include("foundation.web.urls")),
    path(".well-known/jwks.json", well_known.PublicKeys.as_view(), name="public-keys"),
    path(".well-known/oauth-authorization-server", well_known.Metadata.as_view(), name="oauth-metadata"),
    path("search", search.Search.as_view(), name="search"),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in/link/<str:token>/", sign_in.SignInByLink.as_view(), name="sign-in-link"),
    path("sign-in/with/", single_sign_on.FindProvider.as_view(), name="sign-in-with"),
    path("sign-in/with/<slug:slug>/", single_sign_on.AtProvider.as_view(), name="sign-in-at"),
    path("sign-in/with/<slug:slug>/start/", single_sign_on.Start.as_view(), name="sign-in-start"),
    path("sign-in/with/<slug:slug>/callback/", single_sign_on.Callback.as_view(), name="sign-in-callback"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    path("organisation/", sign_in.ChooseOrganisation.as_view(), name="choose-organisation"),
    path("runs/<uuid:run_id>/", runs.RunPage.as_view(), name="run"),
    path("agents/<slug:slug>/", agents.AgentPage.as_view(), name="agent"),
    path("audit/", audit.AuditLog.as_view(), name="audit"),
    path("audit/verify/", audit.Verify.as_view(), name="audit-verify"),
    path("audit/record.jsonl", audit.Export.as_view(), name="audit-export"),
    path("audit/<uuid:entry_id>/", audit.AuditPage.as_view(), name="audit-entry"),
    path("settings/", people.Settings.as_view(), name="settings"),
    path("settings/people/", people.People.as_view(), name="people"),
    path("settings/people/<uuid:principal_id>/suspend/", people.Suspend.as_view(), name="person-suspend"),
    path("settings/people/<uuid:principal_id>/restore/", people.Restore.as_view(), name="person-restore"),
    path("settings/password/", people.Password.as_view(), name="password"),
    path("settings/teams/", teams.Teams.as_view(), name="teams"),
    path("settings/roles/", teams.Roles.as_view(), name="roles"),
    path("settings/roles/<uuid:grant_id>/withdraw/", teams.Withdraw.as_view(), name="grant-withdraw"),
    path("settings/tokens/", keys.Keys.as_view(), name="keys"),
    path("settings/tokens/<uuid:key_id>/revoke/", keys.Revoke.as_view(), name="key-revoke"),
]
