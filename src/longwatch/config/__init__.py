"""The one file of settings: read, checked with line and column, and composed into each service's own options."""
