"""The same network on other runtimes, side by side in one run; see `scripts/bench-peers`."""
