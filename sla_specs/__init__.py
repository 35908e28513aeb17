"""Data that ships with slaguard: profiles, examples, golden sets, mappings, vendor presets. There is no code here."""
