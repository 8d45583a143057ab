"""New versions of the program at a post: verified, installed beside, tried, switched to, kept or gone back from. docs/design/upgrades.md.

Pure: `state` (`upgrade.json`), `order` (`upgrades/order.json`), `trial`. `files` reads and writes them; the supervisor imports `state` and `files`, so both
are of the standard library alone. `upgrading` goes the way, in the server, and owns `upgrades/`; `checks`, `install`, `copying`, `trying`, `tidying` and `back`
are its steps, some of them as `children`. `formats` says what this program reads and writes, `packing` asks that of a wheel.
"""
