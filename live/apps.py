from importlib import import_module

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class DispatchConfig(AppConfig):
    """The app in the process `dispatcher`, which has no pages, metrics or checks."""

    name = "live"
    verbose_name = _("Calls in progress")


class LiveConfig(DispatchConfig):
    default = True

    def ready(self) -> None:
        # They need the models of all apps, which are there only now.
        state, monitoring = import_module("live.state"), import_module("reports.monitoring")
        endpoints, alerts = import_module("live.endpoint_state"), import_module("live.endpoint_alerts")
        register(state.check, Tags.database, deploy=True)
        register(import_module("live.dispatch.dispatcher_state").check, Tags.database, deploy=True)
        import_module("live.dispatch.wanted").connect()
        monitoring.further_findings.append(state.findings)
        monitoring.further_findings.append(state.lookup_findings)
        monitoring.further_findings.append(state.typed_number_findings)
        monitoring.further_findings.append(endpoints.findings)
        monitoring.further_gauges.append(state.gauges)
        monitoring.further_gauges.append(endpoints.gauges)
        import_module("calls.notices").further_notices.append(alerts.notices)
