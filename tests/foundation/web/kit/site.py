"""A site of its own that shows every component, without a database: for the browser tests and for the eye.

By hand: `python tests/foundation/web/kit/site.py 8090`, then open http://127.0.0.1:8090/home, /run, /parts.
"""

import sys
from datetime import timedelta
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

import django  # noqa: E402 - the source roots stand on the path first
from django.conf import settings  # noqa: E402

settings.configure(
    SECRET_KEY="only this page",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["foundation.web", "django.contrib.staticfiles"],
    MIDDLEWARE=[
        "foundation.web.csp.ContentSecurityPolicyMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [ROOT / "templates", Path(__file__).parent / "templates"],
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request", "foundation.web.theme.theme"]
            },
        }
    ],
    USE_TZ=True,
    LOGGING_CONFIG=None,
)
django.setup()

from django import forms  # noqa: E402 - needs the settings above
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils import timezone  # noqa: E402

from foundation.web import errors  # noqa: E402
from foundation.web.components.charts import Bar, Share  # noqa: E402
from foundation.web.components.controls import Choice, Tab  # noqa: E402
from foundation.web.navigation import Group, Place, Shell  # noqa: E402
from foundation.web.waterfall import Span, lay_out  # noqa: E402

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> <p hx-get="/stolen" hx-trigger="load">\u202eexe.fdp'

SHELL = Shell(
    organisation="Northwind",
    environment="Production",
    person="Jon Okafor",
    person_id="jon",
    role="Operator",
    sign_out_url="/sign-out/",
    groups=[
        Group(
            "",
            [
                Place("home", "Home", "/home", "house", "g h", on_phone=True),
                Place("approvals", "Approvals", "/parts", "inbox", "g a", count=5, on_phone=True),
                Place("runs", "Runs", "/run", "activity", "g r", on_phone=True),
            ],
        ),
        Group(
            "Build & govern",
            [
                Place("agents", "Agents", "/agents/", "bot", "g g", on_phone=True),
                Place("policies", "Policies", "/policies/", "scale", "g p"),
                Place("tools", "Tools", "/tools/", "plug", "g t"),
                Place("costs", "Costs", "/costs/", "wallet", "g c"),
            ],
        ),
        Group(
            "Oversight",
            [
                Place("audit", "Audit log", "/audit/", "scroll-text", "g l"),
                Place("settings", "Settings", "/settings/", "settings", "g s"),
            ],
        ),
    ],
)

STEPS = [
    Span(0, None, 0, "Refunds agent", "agent", "waiting", "Resolve ticket #48213", "1"),
    Span(0.1, 2.7, 1, "Plan", "model", "succeeded", "claude-sonnet-4.5", "2"),
    Span(2.7, 3.12, 1, "zendesk.read_ticket", "tool", "succeeded", "#48213", "3"),
    Span(2.7, 3.63, 1, "orders.lookup", "tool", "succeeded", "order 77-20418", "4"),
    Span(3.7, 3.73, 1, "payments.payout", "tool", "denied", "acct_1N4 abroad", "5"),
    Span(3.8, 6.9, 1, "Re-plan after a denied call", "model", "succeeded", "claude-sonnet-4.5", "6"),
    Span(7, 16.4, 1, "Evidence checker", "agent", "succeeded", "sub-agent · v6", "7"),
    Span(7.1, 8.8, 2, "storage.fetch_photos", "tool", "succeeded", "3 images", "8"),
    Span(8.9, 15.1, 2, "Inspect photos", "model", "succeeded", "gpt-5-mini · vision", "9"),
    Span(15.2, 16.3, 2, "fraud.score", "tool", "failed", "customer 8841", "10"),
    Span(16.0, 16.4, 2, "fraud.score", "tool", "succeeded", "customer 8841", "11"),
    Span(16.5, 16.62, 1, "PII redaction", "guard", "succeeded", "2 spans masked", "12"),
    Span(16.7, 20.8, 1, "Decide", "model", "succeeded", "claude-sonnet-4.5", "13"),
    Span(20.8, None, 1, "payments.refund", "tool", "waiting", "€1,840.00 to Hanna Weiss", "14"),
    Span(256.8, None, 1, "Reply drafter", "agent", "running", "sub-agent · v3", "15"),
    Span(257, 257.9, 2, "zendesk.read_ticket", "tool", "succeeded", "#48213", "16"),
    Span(258, 272, 2, "Draft", "model", "running", "claude-sonnet-4.5", "17"),
]

QUEUE = [
    ("IT", "Restart checkout-api in production", "critical", "Incident triage", "k8s.rollout_restart", 2, 12),
    ("RF", "Refund €1,840.00 to Hanna Weiss", "high", "Refunds agent", "payments.refund", 4, 24),
    ("VO", "Create vendor Northwind Logistics GmbH", "medium", "Vendor onboarding", "erp.create_vendor", 12, 130),
    ("LE", "Update 214 contacts in the CRM", "low", "Lead enricher", "crm.bulk_update", 58, 1150),
]


class Rule(forms.Form):
    """A form with each kind of field, some of it wrong."""

    name = forms.CharField(help_text="Lower case and dashes. Shown in the audit log.")
    amount = forms.DecimalField(label="Ask when the amount is over", min_value=1)
    effect = forms.ChoiceField(label="When it matches", choices=[("allow", "Allow"), ("ask", "Ask"), ("deny", "Deny")])
    source = forms.CharField(widget=forms.Textarea(attrs={"class": "code", "rows": 5}), required=False)
    notify = forms.BooleanField(label="Tell the owners", required=False)


def page(request: HttpRequest, name: str) -> HttpResponse:
    """One of the pages, with everything any of them shows."""
    now = timezone.now()
    rule = Rule({"name": "refunds-over-500", "amount": "-5", "effect": "ask"})
    rule.is_valid()
    values = {
        "shell": SHELL,
        "current": {"home": "home", "run": "runs", "parts": "approvals"}[name],
        "now": now,
        "queue": [
            (mark, title, risk, agent, tool, now - timedelta(minutes=asked), now + timedelta(minutes=left))
            for mark, title, risk, agent, tool, asked, left in QUEUE
        ],
        "course": [3, 5, 2, 6, 7, 4, 8, 9, 6, 8],
        "bars": [
            Bar(
                f"{hour}:00",
                [
                    ("quiet", "succeeded", 20 + hour * 7 % 23),
                    ("wait", "waited", hour % 2),
                    ("bad", "failed", hour % 5 == 0),
                ],
            )
            for hour in range(24)
        ],
        "plan": lay_out(STEPS, now=272),
        "kinds": [
            Choice("", "All", 17),
            Choice("model", "Model"),
            Choice("tools", "Tools"),
            Choice("problem", "Problems", 2, "bad"),
        ],
        "tabs": [Tab("/parts", "Overview", None, True), Tab("/run", "Runs"), Tab("/home", "Permissions", 6)],
        "shares": [
            Share("Model", "model", 19.2, "19.2 s"),
            Share("Tools", "tool", 5.5, "5.5 s"),
            Share("Guardrails", "guard", 0.12, "120 ms"),
            Share("Waiting", "wait", 251, "4m 11s"),
        ],
        "states": [
            "succeeded",
            "running",
            "waiting",
            "failed",
            "denied",
            "degraded",
            "paused",
            "retired",
            "something_new",
        ],
        "risks": ["low", "medium", "high", "critical", "odd"],
        "call": {"charge": "ch_3Qm81xKJ2e", "amount": 184000, "currency": "eur", "urgent": True, "reason": HOSTILE},
        "hostile": HOSTILE,
        "identifier": "0192f0c4-7d3a-7b1e-8c2f-1f2e3d4c5b6a",
        "before": "permit (principal, action, resource)\nwhen { context.amount > 1000 };\n",
        "after": "permit (principal, action, resource)\nwhen { context.amount > 500 };\n",
        "form": rule,
    }
    return render(request, f"{name}.html", values)


urlpatterns = [
    path("", include("foundation.web.urls")),
    path("error/404", errors.page_not_found),
    path("error/500", errors.server_error),
    path("error/403", errors.permission_denied),
    path("<str:name>", page),
]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing: the test that started the site reads its own page."""


if __name__ == "__main__":
    with make_server(
        "127.0.0.1", int(sys.argv[1]), StaticFilesHandler(get_wsgi_application()), handler_class=_Quiet
    ) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
