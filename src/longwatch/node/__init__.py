"""The composition root: what runs as a process, put together of all rooms below.

Sub-packages, from the top; each imports only from those below it (the contract in pyproject.toml holds it):
`demo` what shows or tries the whole without hardware. `verbs` what a command does that is more than one request. `server` the server process.
`hub` what a server has beside when its settings are a hub's. `post` a post's link to its hub. `children` one job in a process of its own.
`issuing` what leaves with an entry: exports, reports, statements. `by_recorder` what others have the recorder do. `recorder` the recorder process.
`watch` looking at pictures, from the server's side and in the processes that look. `supervisor` what starts the others. `upgrade` new versions of the program.

Flat here: what every process needs (`link`: our own sockets, `sd_notify`, `host_state`, `last_words`), and modules whose names another release calls
(`door`, `upgrade_back`, `upgrade_trying`, `release_formats`; and `recorder` and `server`, which are packages that run): those names are a part of
`upgrade.state.INTERFACE` and stay. No `__init__` here imports anything: whoever asks for one module loads that one.
"""
