"""Make observations: golden sets, the plan of which question is asked when, and the run that asks them."""
