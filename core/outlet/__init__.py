"""The audit log's way out: to a syslog server or a webhook, as `OVIM_AUDIT_STREAM` says."""
