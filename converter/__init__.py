"""Turn Keras models into float and integer .tflite models, verified before they are written."""
