"""`python -m pipeline`: the command line where no console script is installed."""

from pipeline.cli import main

main()
