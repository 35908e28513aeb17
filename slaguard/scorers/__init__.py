"""Grade an answer. One module per way of grading; found by name through the entry points `slaguard.scorers`."""
