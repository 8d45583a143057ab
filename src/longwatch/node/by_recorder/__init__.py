"""What verbs, the server and children have the recorder do: by the one that runs, which alone writes; where none runs, here, under the data folder's lock.

Each takes the way over the recorder's socket first, and imports what a recorder is made of (`node.recorder`) only where nobody answers. No state.
"""
