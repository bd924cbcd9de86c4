"""What runs when: configuration, calendar, graphs, runner and command line."""
