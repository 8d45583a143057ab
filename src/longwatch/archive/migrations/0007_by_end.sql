-- What reaches into the newest days, of all streams side by side (docs/design/wide-view.md): the day that is not over is read in a few places
-- instead of three for each stream.

CREATE INDEX recorded_span_by_end ON recorded_span (to_us, from_us, provenance);
CREATE INDEX gap_by_end ON gap (to_us, from_us, cause, evidence);
CREATE INDEX gone_span_by_end ON gone_span (to_us, from_us, fate);
