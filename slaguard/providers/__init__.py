"""Speak to a vendor: one module per dialect, and a simulated vendor that speaks back over real HTTP.

A provider hands up raw facts (status, bytes, times); it neither classifies them nor writes a record.
"""
