"""Imports: logs that already exist, read through a mapping into the same records that probes write."""
