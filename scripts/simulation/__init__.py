"""How often the decisions of the verdict are right, drawn; see `scripts/simulate-coverage`."""
