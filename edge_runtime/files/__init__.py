"""Reading under limits, writing whole or not at all, locks, listings."""
