"""The intake implemented in the most obvious way: a DRF serializer, and get_or_create, save and create of the ORM."""
