from django.apps import AppConfig
from django.core.checks import Tags, register

from config import checks


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        register(checks.spool, Tags.security)
        register(checks.secrets, Tags.security, deploy=True)
        register(checks.encryption, Tags.security, deploy=True)
        register(checks.second_factor, Tags.security, deploy=True)
        register(checks.threads)
        register(checks.database, Tags.database)
        register(checks.verified_database, Tags.security, deploy=True)
        register(checks.migrations, Tags.database, deploy=True)
        register(checks.rights, Tags.database, deploy=True)
        register(checks.production, Tags.security, deploy=True)
        register(checks.intake, Tags.security, deploy=True)
        register(checks.mail)
        register(checks.broker, Tags.security, deploy=True)
