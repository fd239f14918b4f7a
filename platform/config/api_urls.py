"""The addresses of the REST API: one router for all apps. Addresses have no slash at their end."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from agents.catalogue.api import LanguageModelEndpoints, ProviderEndpoints
from agents.registry.api import AgentEndpoints
from agents.runs.api import RunEndpoints
from agents.runs.artifacts_api import ArtifactEndpoints
from agents.runs.callbacks_api import CallbackDoor, CallbackEndpoints
from agents.runs.questions_api import QuestionEndpoints
from agents.runs.sessions_api import SessionEndpoints
from agents.runs.workers_api import WorkerEndpoints
from agents.schedules.api import ScheduleEndpoints
from agents.schedules.trigger_api import TriggerDoor, TriggerEndpoints
from agents.tools.api import ConnectorEndpoints, ToolEndpoints
from agents.tools.credentials_api import CredentialEndpoints
from console.api.access import AccessEndpoints
from console.api.audit import AuditEndpoints
from console.api.browsers import BrowserEndpoints
from console.api.delegations import DelegationEndpoints
from console.api.factors import FactorEndpoints
from console.api.grants import GrantEndpoints
from console.api.groups import GroupEndpoints
from console.api.identity_providers import IdentityProviderEndpoints
from console.api.invitations import InvitationEndpoints
from console.api.keys import ApiKeyEndpoints
from console.api.organisations import OrganisationEndpoints
from console.api.people import PersonEndpoints, ServiceEndpoints
from console.api.reviews import ReviewEndpoints
from console.api.roles import RoleEndpoints
from console.api.teams import TeamEndpoints
from console.api.token_exchange import TokenDoor
from console.api.tokens import IntrospectionEndpoints
from foundation.api.unknown import UnknownEndpoint
from governance.approvals.api import ApprovalEndpoints
from governance.budgets.api import BudgetEndpoints
from governance.policies.api import PolicyEndpoints
from governance.policies.decisions_api import DecisionEndpoints

router = SimpleRouter(trailing_slash=False)
for prefix, endpoints in {
    "teams": TeamEndpoints,
    "people": PersonEndpoints,
    "services": ServiceEndpoints,
    "groups": GroupEndpoints,
    "roles": RoleEndpoints,
    "grants": GrantEndpoints,
    "delegations": DelegationEndpoints,
    "reviews": ReviewEndpoints,
    "access": AccessEndpoints,
    "api-keys": ApiKeyEndpoints,
    "factors": FactorEndpoints,
    "browsers": BrowserEndpoints,
    "identity-providers": IdentityProviderEndpoints,
    "invitations": InvitationEndpoints,
    "providers": ProviderEndpoints,
    "language-models": LanguageModelEndpoints,
    "credentials": CredentialEndpoints,
    "connectors": ConnectorEndpoints,
    "tools": ToolEndpoints,
    "agents": AgentEndpoints,
    "sessions": SessionEndpoints,
    "artifacts": ArtifactEndpoints,
    "runs": RunEndpoints,
    "questions": QuestionEndpoints,
    "callbacks": CallbackEndpoints,
    "schedules": ScheduleEndpoints,
    "triggers": TriggerEndpoints,
    "policies": PolicyEndpoints,
    "decisions": DecisionEndpoints,
    "budgets": BudgetEndpoints,
    "approvals": ApprovalEndpoints,
    "audit": AuditEndpoints,
}.items():
    router.register(prefix, endpoints, basename=f"api-{prefix}")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]), name="api-schema"),
    path("v1/organisation", OrganisationEndpoints.as_view({"get": "show_own"}), name="api-organisation"),
    path("v1/organisation/leave", OrganisationEndpoints.as_view({"post": "leave"}), name="api-organisation-leave"),
    path("v1/workers", WorkerEndpoints.as_view({"get": "show_workers"}), name="api-workers"),
    path("v1/introspect", IntrospectionEndpoints.as_view({"post": "token"}), name="api-introspect"),
    path("v1/token", TokenDoor.as_view(), name="api-token"),
    path("v1/callbacks/<uuid:identifier>/call", CallbackDoor.as_view(), name="api-callback-door"),
    path("v1/triggers/<uuid:identifier>/call", TriggerDoor.as_view(), name="api-trigger-door"),
    path("v1/", include(router.urls)),
    re_path(r"^.*$", UnknownEndpoint.as_view(), name="api-unknown"),
]
