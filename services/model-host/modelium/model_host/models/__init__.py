"""One module per kind of model file: how it is loaded and run."""
