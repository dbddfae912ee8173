"""Mail to people: rows of an outbox, sent by a worker to where `OVIM_MAIL_URL` says."""
