"""What leaves a post or a hub with an entry of the ledger: exports and evidence packages, reports, statements. `longwatch` makes them in the foreground, the
server has them made. `hub_exporting` is where an export reads what a hub holds. No state: what is made is a file, and its entry is made `by_recorder`.
"""
