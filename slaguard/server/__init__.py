"""What is shown over HTTP: the page, the API, /metrics and health."""
