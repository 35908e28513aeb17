"""The promise: notation, model, profiles, lint, normal form, explanation and resolved periods of an Agreement."""
