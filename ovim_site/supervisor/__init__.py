"""Starts OVIM's parts on one machine: embedded services, web, workers, sandbox. No Django in here."""
