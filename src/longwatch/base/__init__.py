"""Ground floor: time, ids, errors, tasks, bounded queues, logging.

Comes in: nothing but the standard library and structlog. Promises: no module here has heard of a camera, and all that
is here may be used from every other room. Time is a parameter everywhere else: `Clock` is how it is passed.
"""
