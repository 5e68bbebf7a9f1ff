"""Interrupt commands at every file event, and repeat them; see `scripts/inject-faults --help`."""
