"""The intake as one writes it first: a DRF serializer, and Django's ORM to get or create, to save, to create."""
