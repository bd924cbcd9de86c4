"""`python -m pipeline`: the command line where no console script is installed."""

from pipeline.cli.group import main

main()
