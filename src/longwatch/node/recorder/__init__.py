"""The recorder process (`python -m longwatch.node.recorder`): it takes in cameras, records, accounts, and keeps the ledger.

`process` composes; each other module is one of its concerns, with the requests of the socket that belong to it: `streams` and `ticks` (footage on its way to
the disk), `alarms`, `told`, `blind`, `posts` (what is put before the alarms), `acts`, `holds`, `people`, `settings`, `stamps`, `attest`, `checks`,
`corrections` (entries), `retention`, `surroundings`; `socket`, `looks` and `notes` (what others hear of samples); `options` (what it is told).
Owner of all state in here is the recorder's loop; the archive below is written by nobody else. It imports no decoder, no web, no SQLAlchemy: a contract.
"""
