"""The server process (`python -m longwatch.node.server`): API, pages, live and playback. It may die at any time; recording goes on.

`process` composes, and owns the settings in force and what is made of them. `http` serves. `options` and `notify_options` turn settings into what rooms want to know.
`commands`, `doing` and `upgrade_verbs` answer verbs on its socket. `exports`, `reports`, `verifying` and `probing` start and watch `children`; `notifying`
tells people (`condition_words`), `stamping` asks a timestamp authority. `hub` alone imports the package `node.hub`, and is imported only where the settings are a hub's.
"""
