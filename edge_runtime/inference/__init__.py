"""Running a model on images, after its file has passed every check."""
