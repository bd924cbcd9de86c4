"""Number of seeds of a comparison."""

# Fewer trainings say too little of the luck of a training to count a win.
LEAST_SEEDS = 10
