"""The bundle: all that a device needs, in one file that proves itself. Here as a file only.

archive     the container, of which every byte is prescribed
golden      images with the numbers that the model must answer
tolerance   how far a device may lie off, and why
contents    a bundle read and checked against its own manifest
"""
