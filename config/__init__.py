"""The Django project: settings, URLs, processes, and the one-command start.

It does not import Celery's application, as projects usually do: only Celery's own processes need it, and all others
would use memory for it."""
