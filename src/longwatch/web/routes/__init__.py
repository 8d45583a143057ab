"""The routes, one module per subject; each adds its own with `register`."""
