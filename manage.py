#!/usr/bin/env python3
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from core import tenants

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")
    tenants.work_for_all()
    execute_from_command_line(sys.argv)
