"""Is it recording as planned? One rule per file, each able to clear itself."""
