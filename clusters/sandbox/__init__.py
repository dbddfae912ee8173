"""A cluster to try OVIM on: an HTTP server that speaks the Kubernetes API, never kinder than the real one."""
