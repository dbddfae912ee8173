"""Django's settings. Every value that differs between installations comes from `environment`."""

from pathlib import Path
from urllib.parse import urlsplit

from ovim_site.environment import database, read_or_exit

ENV = read_or_exit()
BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = ENV.secret_key
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = [ENV.public_url]
SECURE = urlsplit(ENV.public_url).scheme == "https"

INSTALLED_APPS = [
    "ovim_site.administration.Administration",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.postgres",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "corsheaders",
    "django_htmx",
    "template_partials",
    "core",
    "clusters",
    "tenancy",
    "vdcs",
    "catalogs",
    "vms",
    "ovim_site",
]
MIDDLEWARE = [
    "ovim_site.metrics.Before",
    "ovim_site.middleware.RequestContext",
    "core.tenants.Bounded",
    "ovim_site.compression.Compressed",
    "corsheaders.middleware.CorsMiddleware",
    "ovim_site.errors.ErrorEdge",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "ovim_site.portal.zones.Zoned",
    "tenancy.middleware.SignedIn",
    "core.enforce.DefaultDeny",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "ovim_site.urls"
WSGI_APPLICATION = "ovim_site.wsgi.application"
APPEND_SLASH = False

# The application's role does the work; the owner's connection exists for migrations (`migrate --database=owner`) and
# for the audit log's retention (`core.retention`), which the application's role may not do. No request uses it.
DATABASES = {"default": database(ENV.database_url), "owner": database(ENV.database_owner_url)}
DATABASES["owner"]["TEST"] = {"MIRROR": "default"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People sign in through tenancy, the admin's too: it gets its user from the middleware below, not from Django's.
AUTHENTICATION_BACKENDS: list[str] = []
SILENCED_SYSTEM_CHECKS = [
    "admin.E408",  # see above: the admin's user comes from our own middleware
    # HSTS for all names below ours, and for the browsers' own list: what else is served below it (machines that tenants
    # expose, say) is the operator's to know. Who knows sends a longer header from the ingress.
    "security.W005",
    "security.W021",
]
AUTH_USER_MODEL = "tenancy.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "tenancy.password_rules.MaximumLength", "OPTIONS": {"max_length": 128}},
    {"NAME": "tenancy.password_rules.NotOutOfAList"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "sign-in"
CSRF_FAILURE_VIEW = "ovim_site.errors.csrf_failure"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
# __Host-: browsers take such a cookie only from this very host over TLS, so no host beside it can plant one.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
    ("__Host-sessionid", "__Host-csrftoken") if SECURE else ("sessionid", "csrftoken")
)
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
# TLS ends in front of us; what came in the clear is sent there. Probes and metrics come from inside the cluster.
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# While somebody works on them (`make dev`) no template is kept in memory.
_LOADERS = ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"]
_KEPT = _LOADERS if ENV.fresh_files else [("django.template.loaders.cached.Loader", _LOADERS)]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [("template_partials.loader.Loader", _KEPT)],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "ovim_site.context.shell",
            ],
            "builtins": ["ovim_site.templatetags.portal", "ovim_site.templatetags.memo"],
        },
    }
]
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "ovim_site.assets.NodeModules",
    "ovim_site.assets.AdminFiles",
]
# Behind TLS: hashed names, compressed, cached for a year, after `collectstatic`. Otherwise (demo, tests) straight
# from where they lie, so that nothing has to be collected first.
OVIM_FILES_COLLECTED = SECURE
_COLLECTED = ENV.static_root or (BASE_DIR / "var" / "static" if OVIM_FILES_COLLECTED else None)
STATIC_ROOT = Path(_COLLECTED) if _COLLECTED else None
_PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "ovim_site.assets.Hashed" if OVIM_FILES_COLLECTED else _PLAIN},
}
STATICFILES_FINDERS += ["ovim_site.assets.JoinedStyles"] if OVIM_FILES_COLLECTED else []
WHITENOISE_USE_FINDERS = not OVIM_FILES_COLLECTED
WHITENOISE_AUTOREFRESH = ENV.fresh_files

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "ovim_site.formats"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenancy.api.authentication.BearerSession"],
    "DEFAULT_PERMISSION_CLASSES": [],  # core.api.ApiView refuses by default, before any of these would run
    "DEFAULT_RENDERER_CLASSES": ["core.api.json.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.json.Parser"],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.Schema",
    "EXCEPTION_HANDLER": "ovim_site.errors.api_exception",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OVIM",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Organizations, virtual data centers, catalogs and virtual machines.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "ovim_site.document.finish"],
    "ENUM_NAME_OVERRIDES": {"InvitationState": ["open", "expired", "accepted", "withdrawn"]},
}

OVIM_ACCESS_DECIDER = "tenancy.access.reach"
OVIM_SUPPORT = "tenancy.support.tell"  # how an organization learns that the provider's people look into it
OVIM_REFUSAL = "ovim_site.errors.response"  # how middleware below ovim_site answers a refusal
OVIM_PLANNER = "ovim_site.plans.Planner"  # what a write that is tried out would do (`?dry_run=`)
OVIM_OWNED = ["vms.owners.hand_over"]  # what a person may own: handed over when the account is deleted
# What one may ask about (`tenancy.explain`): its model, the right to see it, what may be done to it.
OVIM_ASKED = {
    "organization": ("tenancy.Organization", "organization.view", "tenancy.actions.ORGANIZATION"),
    "vdc": ("vdcs.Vdc", "vdc.view", "vdcs.actions.ACTIONS"),
    "vm": ("vms.VirtualMachine", "vm.view", "vms.actions.ACTIONS"),
    "disk": ("vms.Disk", "vm.view", ""),
    "catalog": ("catalogs.Catalog", "catalog.view", ""),
    "item": ("catalogs.CatalogItem", "catalog.view", ""),
    "user": ("tenancy.User", "user.view", "tenancy.actions.USER"),
    "role": ("tenancy.Role", "binding.view", "tenancy.actions.ROLE"),
    "group": ("tenancy.Group", "binding.view", "tenancy.actions.GROUP"),
    "cluster": ("clusters.Cluster", "cluster.view", "clusters.actions.CLUSTER"),
}
OVIM_TENANT_STOP = "vms.tenants.stop_all"  # what runs in an organization, stopped with it
# What an organization holds, in the order in which it goes: each asks for it to go and says how much is left.
OVIM_TENANT_PARTS = ["vdcs.tenants.remove", "catalogs.tenants.remove"]
OVIM_DELETION_GRACE_DAYS = ENV.deletion_grace_days
OVIM_REQUIRE_SECOND_FACTOR = ENV.require_second_factor  # of the provider's people
OVIM_SESSION_IDLE_MINUTES = ENV.session_idle_minutes  # of browsers, from the last use; 0: not ended by it
OVIM_API_SESSION_IDLE_MINUTES = ENV.api_session_idle_minutes
OVIM_ACTOR = "tenancy.selectors.actor_of_session"
# Everything that is reconciled, in one place: nothing below an app imports it (ENGINE §0).
OVIM_KINDS = [
    "tenancy.kinds.PLACED_ORGANIZATION",  # name "placed-organization"
    "vdcs.kinds.VDC",
    "vdcs.access.NAMESPACE_ACCESS",
    "vms.kinds.VIRTUAL_MACHINE",
]
OVIM_PUBLIC_URL = ENV.public_url
OVIM_LIVE_URL = ENV.live_url
OVIM_REDIS_URL = ENV.redis_url
OVIM_JWT_KEY = ENV.jwt_key
OVIM_CREDENTIAL_KEYS = ENV.credential_key
OVIM_WORKER_SLOTS = ENV.worker_slots
OVIM_IMAGE_HOSTS = ENV.image_hosts
OVIM_OIDC_HOSTS = ENV.oidc_hosts
OVIM_OIDC_CA = ENV.oidc_ca
OIDC_MAX_STATES = 5  # sign-ins that one browser has begun; they are in its cookie
OVIM_LOOPBACK_CLUSTERS = ENV.loopback_clusters
OVIM_AUDIT_RETENTION_DAYS = ENV.audit_retention_days
OVIM_AUDIT_STREAM = ENV.audit_stream
OVIM_AUDIT_STREAM_SECRET = ENV.audit_stream_secret
OVIM_AUDIT_STREAM_CA = ENV.audit_stream_ca
OVIM_AUDIT_STREAM_PRIVATE = ENV.audit_stream_private
OVIM_MAIL_URL = ENV.mail_url  # empty: no mail is sent
OVIM_MAIL_FROM = ENV.mail_from
OVIM_MAIL_CA = ENV.mail_ca
OVIM_TRUSTED_PROXIES = ENV.trusted_proxies
OVIM_RATE_LIMIT_USER = ENV.rate_limit_user  # requests a minute; 0: not limited
OVIM_RATE_LIMIT_ADDRESS = ENV.rate_limit_address
# Pages of these origins may call the API with a bearer token. Cookies are for our own pages alone, so no credentials.
CORS_ALLOWED_ORIGINS = list(ENV.cors_origins)
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = ["authorization", "content-type", "idempotency-key", "if-match", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    "ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id",
]  # fmt: skip
CORS_PREFLIGHT_MAX_AGE = 3600

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ovim_site.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery": {"level": "INFO"},
        # Each task twice: there is one a second when nothing is to be done. A task that fails is a warning or worse.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
