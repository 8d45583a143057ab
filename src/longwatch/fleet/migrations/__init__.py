"""How the tables came to be, step by step; `fleet.engine` runs what is missing."""
