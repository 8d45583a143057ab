"""Nouns: what the rooms above speak of to each other. Frozen values and protocols; no I/O, no clock.

`sessions` what happens to a stream; `causes` the names of causes; `stores` segments and
spans as they stand in an index. Services know this room and not each other; they meet in `node`.
Times carry their unit and their clock in their names: `_boot_us` is CLOCK_BOOTTIME, `wall_..._us` since 1970 UTC,
`_90k` media time of the video track in 1/90000 s since its run began.
"""
