"""The ledger: an append-only row log, and typed columns on which Demands are answered.

`rowlog` writes (one process), `read` reads (any number), `store` counts. Import the module you need: a writer starts
without DuckDB.
"""
