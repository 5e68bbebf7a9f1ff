"""The statistics of the proof: intervals, exact tests, and what many tests at once need.

Plain functions of counts, in the standard library and NumPy, so that a device has them too. The
tests hold them against SciPy, statsmodels and exact enumeration.
"""
