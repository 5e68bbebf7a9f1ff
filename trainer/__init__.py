"""Build and fit Keras image classifiers on raw uint8 pixels (needs TensorFlow)."""
