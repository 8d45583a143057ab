"""What a command does that is more than one request to recorder or server: `network` (join, leave, invite, statement), `couriers`, `auditing`, `measuring`,
`check_fleet`. The words on the terminal are in the room `cli`. No state.
"""
