"""`make bench`: cost, latency, seek, timeline and start-up, each against a peer or a goal, in one run, as a table.

Figures are recorded with machine and date in docs/performance.md. Machines are shared and noisy: read ratios and medians.
"""
