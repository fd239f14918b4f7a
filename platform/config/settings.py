"""Django's settings. Everything that differs between installations comes from the environment (docs/operating.md)."""

import os

from config.environment import ROOT, data_directory, database, django_key, email_server, flag, listing

DATA_DIR = data_directory()
KEYS_DIR = DATA_DIR / "keys"
SECRET_KEY = django_key(KEYS_DIR)
DEBUG = False
PUBLIC_URL = os.environ.get("REMIT_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = [*(listing("REMIT_ALLOWED_HOSTS") or ("127.0.0.1", "localhost", "[::1]"))]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",  # before ours, which undo some of it
    "config.apps.RemitConfig",
    "console",
    "foundation.tenancy",
    "foundation.audit",
    "foundation.secrets",
    "foundation.organisations",
    "foundation.identity",
    "foundation.access",
    "foundation.federation",
    "foundation.invitations",
    "foundation.delegation",
    "foundation.provisioning",
    "foundation.web",
    "foundation.api",
    "agents.catalogue",
    "agents.tools",
    "agents.registry",
    "agents.runs",
    "agents.schedules",
    "governance.policies",
    "governance.budgets",
    "governance.approvals",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "template_partials",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]

MIDDLEWARE = [
    "foundation.web.requests.RequestIdMiddleware",
    "foundation.api.pages.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "foundation.web.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "foundation.access.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "console.context.shell",
            ],
        },
    }
]

# Serving is the default: whoever forgets to choose is under row-level security.
DATABASES = {
    "default": database("DATABASE_URL"),
    "owner": database("DATABASE_OWNER_URL", "DATABASE_URL"),
    "engine": database("DATABASE_ENGINE_URL", "DATABASE_URL"),
    "system": database("DATABASE_SYSTEM_URL", "DATABASE_URL"),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["foundation.identity.authentication.EmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "foundation.identity.passwords.BreachedPasswordValidator"},
]
# A sorted list of SHA-1 digests, as haveibeenpwned.com offers it for download: nobody outside is asked.
REMIT_BREACHED_PASSWORDS = os.environ.get("REMIT_BREACHED_PASSWORDS", "")
# The pages and their verbs are ours (foundation.identity, foundation.federation); allauth brings what is hard in them.
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_ADAPTER = "foundation.federation.connection.OutboundAdapter"
MFA_ADAPTER = "foundation.identity.second_factor.SealedAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Remit"
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False
# Rights are asked of foundation.access, never of a backend: guardian's tables only mirror the grants.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = GUARDIAN_MONKEY_PATCH_GROUP = False
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]
LOGIN_URL = "/sign-in/"
SESSION_COOKIE_NAME = "remit_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "foundation.web.errors.csrf_failure"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("REMIT_BEHIND_PROXY") else None
SECURE_HSTS_SECONDS = 31_536_000 if PUBLIC_URL.startswith("https://") else 0
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["foundation.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["foundation.api.permissions.NamedPermission"],
    "DEFAULT_RENDERER_CLASSES": ["foundation.api.rendering.PlainRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "foundation.api.paging.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["foundation.api.filters.FilterBackend"],
    "EXCEPTION_HANDLER": "foundation.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Remit",
    "DESCRIPTION": "Governs teams of AI agents. Authenticate with `Authorization: Bearer <API key>`.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.document.hook.complete"],
    "ENUM_NAME_OVERRIDES": {
        "ScheduleKindEnum": "agents.schedules.models.ScheduleKind",
        "PermissionEnum": "console.api.access.PERMISSIONS",
    },
}

AGENTS_GATE = "governance.gate.Doorkeeper"
CONNECTOR_KINDS = {
    "sql": "agents.tools.sql.SqlConnector",
    "documents": "agents.tools.documents.DocumentsConnector",
    "sandbox-orders": "config.sample.shop.SandboxOrders",
    "sandbox-payments": "config.sample.payments.SandboxPayments",
    "sandbox-mail": "config.sample.outbox.MailOutbox",
}
# smtp://name:password@host:587?tls=start (or tls=always, tls=no); without it invitations are shown to the inviter.
EMAIL = email_server(os.environ.get("REMIT_EMAIL_URL", ""))
REMIT_SENDS_MAIL = bool(EMAIL)
EMAIL_HOST, EMAIL_PORT = EMAIL.get("host", "localhost"), EMAIL.get("port", 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL.get("user", ""), EMAIL.get("password", "")
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("tls") == "start", EMAIL.get("tls") == "always"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("REMIT_EMAIL_FROM", "remit@localhost")
REMIT_OUTBOUND_ALLOW = listing("REMIT_OUTBOUND_ALLOW")
REMIT_REHEARSAL_URL = os.environ.get("REMIT_REHEARSAL_URL", "")
REMIT_LOCAL_MODEL_URL = os.environ.get("REMIT_LOCAL_MODEL_URL", "")
REMIT_FIRINGS_DAYS = int(os.environ.get("REMIT_FIRINGS_DAYS", "90"))  # 0 keeps them all

RELEASE = "0.1.0"  # as in pyproject.toml

# The engine's timings, in seconds; checked at start-up (agents.runs.checks).
RUN_LEASE_SECONDS = float(os.environ.get("REMIT_RUN_LEASE_SECONDS", "30"))
# A worker that is cut off in the midst of a transaction holds locks that others wait for: less long than its lease.
_IDLE = f"-c idle_in_transaction_session_timeout={int(1000 * min(5, RUN_LEASE_SECONDS / 2))}"
DATABASES["engine"]["OPTIONS"]["options"] = f"{_IDLE} {DATABASES['engine']['OPTIONS']['options']}"
RUN_HEARTBEAT_SECONDS = float(os.environ.get("REMIT_RUN_HEARTBEAT_SECONDS", "5"))
RUN_MODEL_TIMEOUT_SECONDS = float(os.environ.get("REMIT_MODEL_TIMEOUT_SECONDS", "120"))
RUN_SLOTS = int(os.environ.get("REMIT_RUN_SLOTS", "32"))
RUN_DRAIN_SECONDS = float(os.environ.get("REMIT_RUN_DRAIN_SECONDS", "8"))
RUN_MAX_CRASHES = int(os.environ.get("REMIT_RUN_MAX_CRASHES", "5"))
RUN_STREAMS = int(os.environ.get("REMIT_RUN_STREAMS", "100"))  # open ones of one principal in each web process

BROKER_URL = os.environ.get("BROKER_URL", "memory://")

LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": "INFO"}  # never empty: Django would not call the above at all
