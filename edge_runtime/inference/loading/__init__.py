"""Loading a model that nobody vouches for, in the order of `docs/explanation/bundle.md`."""

from edge_runtime.inference.loading.opening import open_model

__all__ = ["open_model"]
