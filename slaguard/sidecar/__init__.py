"""Real traffic, observed by a proxy that changes no byte of it: pump, link, recorder, admin (docs/design/sidecar.md)."""
