-- What a camera that records by events discarded is told from what retention removed (docs/design/by-events.md).
-- fate: 0 still recorded, no longer held; 1 the same, and a hub held it; 2 discarded: a gap, `not_scheduled`.
ALTER TABLE gone_span RENAME COLUMN confirmed TO fate;
CREATE INDEX gone_span_discarded ON gone_span (stream_id, from_us) WHERE fate = 2;
