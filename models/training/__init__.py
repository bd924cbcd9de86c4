"""Training: the loop, its learners, warm starts and checkpoints."""
