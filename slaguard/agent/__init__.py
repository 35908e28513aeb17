"""The loop: plan, ask, grade, write down, judge, show; and start again where it stopped."""
