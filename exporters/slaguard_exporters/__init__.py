"""Exporters: each takes a Snapshot and writes it in the words of another system.

An exporter reads results and computes none, so nothing here imports the ledger, the providers or the probes. slaguard
finds exporters by the entry-point group ``slaguard.exporters`` and never imports one itself; yours is found the same
way.
"""
