"""A post's link to its hub (and a hub's to the hub above): all in the server process.

`joining` and `dialling` (enrolment; owner of `trust/`), `uplink` (the connection and what goes next), `uplink_log` (the ledger on its way), `hub_link` (both, with the
policy of the settings, as the page shows them), `media`, `live`, `event_pictures`, `strip_packs`, `outgoing`, `formats_told` (what goes beside the ledger), `confirming` (what
the hub has), `obeying` and `fetching` (what the hub says, and what it sends). Owner of the state is the server's loop; of files each module says which.
"""
