"""Images and what goes with them: pictures, datasets, and what models predicted of them."""
