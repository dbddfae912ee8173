"""Pages that belong to no single app: overview, search, switching the place, preferences, saved views."""
