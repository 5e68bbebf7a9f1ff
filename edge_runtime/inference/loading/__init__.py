"""Loading a model that nobody vouches for, in this order, each step only after the one before:

1. its file is read once, under a size cap;
2. these bytes are hashed, and held against manifest and seal;
3. their structure is checked, and the operators against the runtime that is here;
4. a process of its own, under limits, loads and runs them, and must reproduce the golden vectors;
5. only then does this process load the same bytes.

What a file has passed is remembered by its hash, so that only the first start is slow.
"""  # noqa: D415

from edge_runtime.inference.loading.opening import open_model

__all__ = ["open_model"]
