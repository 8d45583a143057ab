"""What a server has beside all else when its settings are a hub's. A post's server never imports it: see `server.hub`.

`part` puts it together. Who belongs to it: `desk`, `afar`, `door_asking`. Where posts dial in: `listener`, `strangers`, `ways`, `links`, `process`, `through`. What they told, shown:
`view`, `shown`, `silence`, `events`. What people want of them: `requests`, `commands`, `upgrades`, `rolling`, `upgrade_verbs`. What it holds: `keeping`, `media`. The hub
above: `above`, `fleet_log`, `relay`. The rows are those of the room `fleet`; owner of what is in memory is the event loop of the process.
"""
