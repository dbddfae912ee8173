"""The `ovim` command. It speaks only the public REST API and knows nothing of the server's code."""

__version__ = "0.1.0"
