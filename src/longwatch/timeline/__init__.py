"""Interval algebra: spans, tilings, and which placement is shown where two claim one second. Pure."""
