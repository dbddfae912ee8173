"""What the Django admin stands on: the site, read-only pages with verbs, bounded lists."""
