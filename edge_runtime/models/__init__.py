"""What a model is on disk: file, manifest, bundle, run, signature. Nothing in here runs one."""
