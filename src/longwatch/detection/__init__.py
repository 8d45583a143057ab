"""Looking at pictures: what to decode at all, what moves, what hides the view, what class of thing it is. It speaks of classes, never of who.

State: none on disk. What a camera's background looks like lives in the process that looks. Promises: nothing here reads a socket or a clock;
the processes are made in `node`. The record path never waits for it.
"""
