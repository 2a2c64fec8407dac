"""Settings of the process `live`: those of config.settings, with short limits for its few connections."""

from config.settings import *  # noqa: F403 (all settings of an operator apply here too)
from config.settings import DATABASES

# A frozen or locked database must not hold up streams; what was being done is done again. A process that is frozen
# in a transaction must not hold up the feeding of others.
_database = DATABASES["default"]
_options = _database["OPTIONS"]
_options["options"] += (
    " -c statement_timeout=10s -c lock_timeout=2s -c idle_in_transaction_session_timeout=5s"
    " -c application_name=calltally\\ live"
)
# A database host that disappeared without closing the connection is noticed after this time.
_noticing = {"keepalives_idle": 10, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
for _name, _value in {"connect_timeout": 3, **_noticing}.items():
    _options.setdefault(_name, _value)
_database["CONN_MAX_AGE"] = None
