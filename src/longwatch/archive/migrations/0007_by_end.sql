-- What reaches into the newest days, of all streams side by side (docs/design/wide-view.md): the day that is not over is read in a few places
-- instead of three for each stream.

CREATE INDEX recorded_span_by_end ON recorded_span (to_us, from_us, provenance);
CREATE INDEX gap_by_end ON gap (to_us, from_us, cause, evidence);
CREATE INDEX gone_span_by_end ON gone_span (to_us, from_us, fate);

DROP TRIGGER wide_day_gone_other;
-- What is gone grows at its end with every removal: the days before that end say what they said.
CREATE TRIGGER wide_day_gone_end AFTER UPDATE ON gone_span
WHEN OLD.from_us = NEW.from_us AND OLD.run_id = NEW.run_id AND OLD.fate = NEW.fate AND OLD.stream_id = NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gone_other AFTER UPDATE ON gone_span
WHEN OLD.from_us <> NEW.from_us OR OLD.run_id <> NEW.run_id OR OLD.fate <> NEW.fate OR OLD.stream_id <> NEW.stream_id OR EXISTS (
    SELECT 1 FROM gone_span WHERE stream_id = NEW.stream_id AND from_us = NEW.from_us AND run_id = NEW.run_id
        AND first_sequence <> NEW.first_sequence) BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;
