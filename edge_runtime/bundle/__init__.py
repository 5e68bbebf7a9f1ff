"""The bundle: all that a device needs, in one file that proves itself.

archive     the container, of which every byte is prescribed
golden      images with the numbers that the model must answer
tolerance   how far a device may lie off, and why
scores      the numbers before the last softmax
contents    a bundle read and checked against its own manifest
selftest    a loaded model held against its golden vectors
making      from a model and training images to the bytes of a bundle
card        the model card
"""
