"""How dates and times are written and read: Django's FORMAT_MODULE_PATH."""
