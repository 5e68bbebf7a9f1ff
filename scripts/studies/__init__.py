"""What the scripts share: options, tables, training, made-up predictions."""
