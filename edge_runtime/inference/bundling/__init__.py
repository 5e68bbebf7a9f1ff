"""Making a bundle, which takes running its model."""
