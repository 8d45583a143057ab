"""Looking at pictures. docs/design/watching.md.

In the server: `watching` (sightings become events), `looking` (owner of the watcher's process and of `derived/looking/`), `movement`, `keeping` (`record: events`),
`temperatures`, `options`. The watcher (`watcher`, with `watcher_cameras`, `watcher_objects` and a `look_slot` for each child) decides what is looked at and decodes
nothing. A look child (`look_child`, `look_objects`) decodes, looks, and has given up all else. `modelling` asks `model_child` whether a model for objects can be used.
"""
