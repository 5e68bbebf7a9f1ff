"""The command line's ground: where words go, how much is said, which numbers are taken."""
