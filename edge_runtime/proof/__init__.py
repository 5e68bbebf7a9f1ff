"""Is it still the same model? Statistics, metrics that add up, the verdict, and its reports."""
