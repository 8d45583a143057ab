"""The versioned messages of our own Unix sockets: bytes to values and back. No I/O, no clock.

A frame: 4-byte big-endian length of the header, 4-byte length of the body, the header as UTF-8 JSON, the body as bytes.
`hello` comes first from both sides and carries the protocol's version; either side works with a neighbour that is one
minor version older. docs/design/socket.md lists the messages.
"""
