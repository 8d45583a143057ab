"""One job in a process of its own, with limits, which ends with who started it: `python -m longwatch.node.children.NAME`.

`export` and `verifying` read the archive for the server, at low priority; `probe` tries a camera; `masking` (a child of the recorder) alone meets the unmasked
stream. Each says what it takes and answers in its first lines. Those that look are in `watch`, those of an upgrade in `upgrade`.
"""
