"""What was seen, as events with a beginning and an end: made from sightings, kept, searched, reviewed, and forgotten at their own age.

Comes in: sightings (`model.events.Sighting`), and up to when each camera was looked at. `making` is pure and makes changes of them, `store` keeps
them, `pictures` makes one picture of each. Promises: an event begins once and ends once, under one id that sorts by its begin; of one thing
no two overlap; a restart goes on with what was open; a picture is never kept longer than the footage it was made of.

State: the table of events in `server.db` and `derived/events`, written by the server alone.
"""

from longwatch.events.making import Maker, Options
from longwatch.events.pictures import Pictures
from longwatch.events.store import EventStore
from longwatch.model.event_levels import Level, level_of
from longwatch.model.event_rows import Asked, Crowd, Stored

__all__ = ["Asked", "Crowd", "EventStore", "Level", "Maker", "Options", "Pictures", "Stored", "level_of"]
