"""The TFLite runtimes, the processor and the processes that they run in."""
