"""What the post knows each second becomes recorded spans, gaps and causes, handed to the archive with each tick."""
