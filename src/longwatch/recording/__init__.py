"""Samples to fragments, segments and runs, placed on the wall. One writer of its streams' state: the recorder's loop."""
