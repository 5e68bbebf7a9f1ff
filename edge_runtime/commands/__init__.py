"""The commands that a device has, a module each; `edge_runtime.cli` loads them by name."""
