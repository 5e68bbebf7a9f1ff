"""What `scripts/plant-faults` plants: networks, faults, and healthy models."""
