"""Django settings. Installations differ only in environment variables, which docs/settings.md lists."""

import re
import tomllib
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from config import beat_schedule, embedded, mail_settings, settings_menu
from config.live_origins import live_origins

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
env = environ.Env()

# The folder of data, secrets, broker and logs of the embedded start: CALLTALLY_HOME, or var/.
HOME = embedded.find_home()
environ.Env.read_env(HOME / "env")  # written by `manage.py quickstart`; the real environment takes precedence

# --- Secrets: intentionally without defaults -------------------------------------------------


def secret(name: str, least: int) -> str:
    """Return a secret from the environment. Raise ImproperlyConfigured, which says what to set, if it is too short."""
    value: str = env.str(name, default="")
    if len(value) < least:
        raise ImproperlyConfigured(
            f"Set {name} to a secret of at least {least} characters, or run `make run` once, "
            f"which creates one and stores it in {HOME / 'env'}."
        )
    return value


SECRET_KEY = secret("SECRET_KEY", 50)
# The HMAC key of access-key fingerprints. Changing it makes all issued access keys unknown.
ACCESS_KEY_PEPPER = secret("ACCESS_KEY_PEPPER", 32)
# Encrypts secrets that are sent to other systems, before they are stored. The first one encrypts, all decrypt. Without
# it the key is made of SECRET_KEY, as in installations that are older than this setting.
ENCRYPTION_KEYS = [text.strip() for text in env.str("ENCRYPTION_KEY", default="").split(",") if text.strip()]
if any(len(text) < 32 for text in ENCRYPTION_KEYS):
    raise ImproperlyConfigured(
        "ENCRYPTION_KEY needs at least 32 characters. Generate one with `openssl rand -hex 32`. To replace a key, put "
        "the new one before it, with a comma between them."
    )

# --- Web -------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# The address where people and TENIOS reach this installation, shown in help texts: https://calls.example.com
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
# Processes and threads of the web server. A post may hold a thread for a second while the database is slow.
WEB_PROCESSES = env.int("WEB_PROCESSES", default=2)
WEB_THREADS = env.int("WEB_THREADS", default=16)
if WEB_PROCESSES < 1 or WEB_THREADS < 1:
    raise ImproperlyConfigured("WEB_PROCESSES and WEB_THREADS must be at least 1.")
# In production the intake is a separate process, calltally-intake: its processes and threads, its address, and the
# folder of its counters, which the web processes show in /metrics and on the page System. `make run` has no intake.
INTAKE_PROCESSES = env.int("INTAKE_PROCESSES", default=2)
INTAKE_THREADS = env.int("INTAKE_THREADS", default=32)
if INTAKE_PROCESSES < 1 or INTAKE_THREADS < 1:
    raise ImproperlyConfigured("INTAKE_PROCESSES and INTAKE_THREADS must be at least 1.")
INTAKE_URL = env.str("INTAKE_URL", default="").rstrip("/")
if INTAKE_URL and not INTAKE_URL.startswith("http://"):
    raise ImproperlyConfigured(
        "INTAKE_URL must be the http:// address of the intake process, such as http://127.0.0.1:8001"
    )
INTAKE_METRICS_DIR = env.str("INTAKE_METRICS_DIR", default="")
# The port of the process `live` where browsers reach it themselves, beside the web processes, as under `make run`. In
# production it is 0: there nginx passes /live/events of the same site on to it.
LIVE_PORT = env.int("LIVE_PORT", default=0)
if not 0 <= LIVE_PORT < 65536:
    raise ImproperlyConfigured("LIVE_PORT must be a port, or 0 if nginx passes /live/events on to the process `live`.")
# Addresses and networks of proxies whose X-Forwarded-For is trusted: 127.0.0.1, 10.0.0.0/8.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
try:
    TRUSTED_PROXIES = [ip_network(text.strip()) for text in TRUSTED_PROXIES]
except ValueError as error:
    raise ImproperlyConfigured(
        f"TRUSTED_PROXIES must be addresses and networks separated by commas, such as 127.0.0.1,10.0.0.0/8. {error}"
    ) from error
# A secret that only our proxy knows and sends with each request. If set, only its header names client and scheme.
PROXY_SECRET = env.str("PROXY_SECRET", default="")
if PROXY_SECRET and not re.fullmatch(r"[A-Za-z0-9_-]{32,}", PROXY_SECRET):
    raise ImproperlyConfigured(
        "PROXY_SECRET needs at least 32 letters, digits, _ or -. Generate one with `openssl rand -hex 32`."
    )
# The token for /metrics and all of /healthz. Needed from other machines, and behind HTTPS from this machine too.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# True if a proxy terminates TLS: cookies become Secure.
BEHIND_HTTPS = env.bool("BEHIND_HTTPS", default=False)

INSTALLED_APPS = [
    "accounts.admin_config.SiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "config",
    "calls",
    "accounts",
    "contacts",
    "reports",
    "live",
]

MIDDLEWARE = [
    "calls.middleware.posts_first",  # TENIOS' posts leave the chain here
    "reports.monitoring.metrics_first",
    "calls.middleware.vouched_scheme",
    "config.headers.headers",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.call_stack.with_room",
    "reports.unavailable.refusals",  # requests refused by config.shares leave the chain here, with the headers of pages
    "accounts.session_limits.kept_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.session_limits.limits",  # signs out where the session has ended
    "accounts.audit.actors.noted_actors",
    "accounts.given_passwords.own_passwords",  # requests of people who must change their password leave the chain here
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.devices.remember_devices",
    "axes.middleware.AxesMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SecondFactor",
    "config.time_limits.streams_begin",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["config.templates.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# The menu of the admin, which pages call Settings; and what its pages have around them, as reports have it.
SETTINGS_MENU = settings_menu.GROUPS
FRAME_OF_SETTINGS = "reports.views.shared.frame_of"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Ten failures lock a name from one network for 15 minutes; a successful sign-in resets the count. A device in which the
# person signed in before has ten of its own.
AXES_HANDLER = "accounts.lockout.Lockout"
AXES_FAILURE_LIMIT = 10
# Failures that lock a network for all names. An office behind one address shares them, and on a Monday some mistype;
# who tries a common password with all names of a company stays under the limit of each name.
NETWORK_FAILURE_LIMIT = 100
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or others could lock a network for ever
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.signin.address_of"
AXES_LOCKOUT_CALLABLE = "accounts.signin.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # successful sign-ins are not recorded
AXES_ENABLE_ADMIN = False  # `manage.py axes_reset_username` unlocks a user
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]

# Who must have a second factor: `staff` (and everybody with the right `calls` for any number), `all` or `none`.
MFA_REQUIRED = env.str("MFA_REQUIRED", default="staff")
if MFA_REQUIRED not in {"staff", "all", "none"}:
    raise ImproperlyConfigured("MFA_REQUIRED must be staff, all or none.")
WHO_SEES_SINGLE_CALLS = "calls.access.who_sees_single_calls"
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # clocks of phones may be wrong by 30 seconds
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900  # seconds in which a second factor may be changed without being asked for again
ACCOUNT_RATE_LIMITS = False  # they would be counted by each process for itself; axes counts all failures

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.password_length.LengthValidator"},
    {"NAME": "accounts.passwords.GuessablePasswordValidator"},
]
# How long the link of an invitation is valid.
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())
# Names of this company, its products and places, which passwords must not rest on. Without them, those of the hosts.
PASSWORD_WORDS = env.list("PASSWORD_WORDS", default=[])

# How long entries of the audit are kept. The database deletes none that is younger than six months.
AUDIT_MONTHS = env.int("AUDIT_MONTHS", default=12)
if not 6 <= AUDIT_MONTHS <= 120:
    raise ImproperlyConfigured("AUDIT_MONTHS, how long the audit is kept, must be from 6 to 120.")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", *live_origins(ALLOWED_HOSTS, LIVE_PORT)],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "accounts.session_messages.SessionMessages"
SECURE_REFERRER_POLICY = "same-origin"
# Pages open records of other systems in a tab with a name; with `same-origin` each click would open another tab.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"
# How long a session lasts from the sign-in, and how long without use for people of whom ENDS_WHEN_IDLE is true.
SESSION_HOURS = env.int("SESSION_HOURS", default=12)
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
if SESSION_HOURS < 1 or SESSION_IDLE_MINUTES < 5:
    raise ImproperlyConfigured("SESSION_HOURS must be at least 1, and SESSION_IDLE_MINUTES at least 5.")
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_ENGINE = "accounts.session_store"
ENDS_WHEN_IDLE = "reports.permissions.ends_when_idle"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
DEVICE_COOKIE_NAME, BOARD_COOKIE_NAME = "calltally_device", "calltally_board"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_HTTPS
VOUCHED_SCHEME = "calltally.scheme"  # set by calls.middleware; headers cannot, because their variables begin with HTTP_
if BEHIND_HTTPS:
    SECURE_PROXY_SSL_HEADER = (VOUCHED_SCHEME if PROXY_SECRET else "HTTP_X_FORWARDED_PROTO", "https")
    # Browsers accept cookies with this prefix only from this host, over HTTPS.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    DEVICE_COOKIE_NAME, BOARD_COOKIE_NAME = "__Host-calltally_device", "__Host-calltally_board"
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000)
# HSTS for subdomains and preloading: we cannot know whether other names of the domain are served over HTTPS.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
WHITENOISE_MIMETYPES = {".svg": "image/svg+xml; charset=utf-8"}
STORAGES = {"staticfiles": {"BACKEND": "config.staticfiles.HashedAndCompressed"}}

# --- Database --------------------------------------------------------------------------------

# Without DATABASE_URL, the embedded PostgreSQL that `make run` starts is used.
USES_EMBEDDED_DATABASE = not env.str("DATABASE_URL", default="")
_database_url = embedded.saved_url(HOME, embedded.APPLICATION) if USES_EMBEDDED_DATABASE else env.str("DATABASE_URL")
if not _database_url.startswith(("postgres://", "postgresql://")):
    raise ImproperlyConfigured(
        "DATABASE_URL must be the address of a PostgreSQL database: postgres://user:password@host/name"
    )
DATABASES = {"default": env.db_url_config(_database_url, engine="config.database")}
# Kept, because DATABASES names the owner while that is connected.
DATABASE_URL = _database_url
# The same database for the role that owns its tables, and for one that can only store posts: config.roles.
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default="")
INTAKE_DATABASE_URL = env.str("INTAKE_DATABASE_URL", default="")
DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
# JIT compilation of a statement takes longer than any of our statements runs; parallel workers start slower than most
# of them run, and take the processors that posts need.
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options["options"] = f"-c jit=off -c max_parallel_workers_per_gather=0 {_options.get('options', '')}".strip()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Calls -----------------------------------------------------------------------------------

# The path that TENIOS sends posts to.
POSTS_PATH = "/tenios/posts"
# Phone numbers in national format are read as numbers of this region (ISO 3166-1 alpha-2).
PHONE_REGION = env.str("PHONE_REGION", default="DE")
# The folder on this host's disk in which posts are stored while the database is down.
SPOOL_FOLDER = Path(env.str("SPOOL_FOLDER", default="") or HOME / "spool")
SPOOL_MOST_MB = env.int("SPOOL_MOST_MB", default=1024)
if SPOOL_MOST_MB < 1:
    raise ImproperlyConfigured("SPOOL_MOST_MB, the size limit of the spool in megabytes, must be at least 1.")

# Exists while there is an endpoint: `make run` runs the dispatcher only then.
DISPATCHER_WANTED = HOME / "dispatcher-wanted"

# --- Workbooks: made by a separate worker, kept for a day ---------------------------------------

FILES_FOLDER = HOME / "files"
# The total size of all workbooks, and the space they leave on the disk for posts and the database.
FILES_MOST_MB = env.int("FILES_MOST_MB", default=4096)
FILES_LEAST_FREE_MB = env.int("FILES_LEAST_FREE_MB", default=1024)
if FILES_MOST_MB < 1 or FILES_LEAST_FREE_MB < 0:
    raise ImproperlyConfigured("FILES_MOST_MB must be at least 1 and FILES_LEAST_FREE_MB at least 0, in megabytes.")

# --- Mail: alerts to those who may see a number -------------------------------------------------

DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="")
_mail = mail_settings.read(env.str("EMAIL_URL", default=""), DEFAULT_FROM_EMAIL)
vars().update(_mail.settings)  # EMAIL_BACKEND, EMAIL_HOST, …; Django's error pages hide the password among them
EMAIL_TIMEOUT = 10  # seconds for each step
SENDS_MAIL = _mail.sends
# The variable that prevents mail from being sent although EMAIL_URL is set.
WRONG_FOR_MAIL = _mail.wrong

# --- Times and languages ---------------------------------------------------------------------

USE_TZ = True
# The time zone of days, hours and weekdays in reports; after a change run `manage.py rebuild_counts`.
TIME_ZONE = env.str("TIME_ZONE", default="Europe/Berlin")
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
FORMAT_MODULE_PATH = "config.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_THOUSAND_SEPARATOR = True

# --- DRF: closed by default; calls.views.PostView opens itself -----------------------------------

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}

# --- Celery ----------------------------------------------------------------------------------

ROLL_UP_EVERY_S = env.int("ROLL_UP_EVERY_S", default=10)
CLOSE_SILENT_CALLS_EVERY_S = env.int("CLOSE_SILENT_CALLS_EVERY_S", default=180)
# Figures of single destinations are personal data of employees.
FORWARDS_LEAST_DESTINATIONS = env.int("FORWARDS_LEAST_DESTINATIONS", default=5)
# Hosts and private networks to which links from calls may use http.
LINKS_HTTP_HOSTS = env.list("LINKS_HTTP_HOSTS", default=[])
# Private networks to which look-ups may be sent, with http too. Other private addresses are never asked.
OUTGOING_PRIVATE_NETWORKS = env.list("OUTGOING_PRIVATE_NETWORKS", default=[])
try:
    OUTGOING_PRIVATE_NETWORKS = [ip_network(text.strip()) for text in OUTGOING_PRIVATE_NETWORKS]
except ValueError as error:
    raise ImproperlyConfigured(
        f"OUTGOING_PRIVATE_NETWORKS must be networks separated by commas, such as 192.168.10.0/24. {error}"
    ) from error
# This machine itself may be asked only while developing.
OUTGOING_LOOPBACK = DEBUG
# Read only by the migration that turns managers into rows of access.
FORWARDS_FOR_MANAGERS = env.bool("FORWARDS_FOR_MANAGERS", default=False)
TELL_SILENCES_EVERY_S = env.int("TELL_SILENCES_EVERY_S", default=300)

BROKER = HOME / "broker"
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or "filesystem://"
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT = "config.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER / "queue"),
        "data_folder_out": str(BROKER / "queue"),
        "processed_folder": str(BROKER / "processed"),
        "control_folder": str(BROKER / "control"),
        "store_processed": False,
    }
CELERY_BEAT_SCHEDULER = "config.beat:SteadyScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds until beat notices that the clock was set back
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A workbook takes minutes and must not hold a thread of the worker that counts.
CELERY_TASK_ROUTES = {"reports.tasks.make_workbooks": {"queue": "files"}}
CELERY_BEAT_SCHEDULE = beat_schedule.make(
    roll_up_s=ROLL_UP_EVERY_S, close_silent_calls_s=CLOSE_SILENT_CALLS_EVERY_S, tell_silences_s=TELL_SILENCES_EVERY_S
)

# --- Logs ------------------------------------------------------------------------------------

LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured("LOG_FORMAT must be line (for people) or json (for programs).")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.LineFormatter"}, "json": {"()": "config.logs.JsonFormatter"}},
    "filters": {"client_faults": {"()": "calls.log_limits.ClientFaults"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["client_faults"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        # The addresses that it logs contain callers.
        "urllib3": {"level": "CRITICAL"},
        # The hourly head, also in workers, where Celery sets the level of all loggers without one of their own.
        "calltally.audit": {"level": "INFO"},
    },
}
