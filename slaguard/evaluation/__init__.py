"""From Evidence to verdicts, credits and deadlines: pure, exact, and the same bytes on every replay."""
