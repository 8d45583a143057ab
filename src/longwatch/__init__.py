"""Longwatch: a self-hosted network of cameras for places that are hard to watch.

Every second of every camera is accounted for: it is recorded, durable and provably unaltered, or it is a gap with a
cause and the evidence for that cause. ARCHITECTURE.md names the rooms of this package and the direction of imports.
"""

__version__ = "0.1.0"
