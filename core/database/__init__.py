"""Django's backend for PostgreSQL, with the bounds of who asks on every transaction. See `core.tenants`."""
