"""The verbs of tenancy, by noun: `sessions`, `organizations`, `users`, `bindings`."""
