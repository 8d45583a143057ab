-- Exact tilings of days that are over, for timelines of many streams at once (docs/design/wide-view.md). The recorder makes them, as it makes the
-- days for wide views.

CREATE TABLE tile_day (
    day INTEGER NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES stream,
    tiles BLOB NOT NULL,
    PRIMARY KEY (day, stream_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tile_day_dropped AFTER DELETE ON wide_day BEGIN
    DELETE FROM tile_day WHERE day = OLD.day AND stream_id = OLD.stream_id;
END;
-- A wide view does not tell why in full, nor of which row.
CREATE TRIGGER tile_day_evidence AFTER UPDATE ON gap WHEN OLD.evidence <> NEW.evidence OR OLD.id <> NEW.id BEGIN
    DELETE FROM tile_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;
-- Which of two runs is shown, and what it is called.
CREATE TRIGGER tile_day_run AFTER UPDATE OF number, stream_id ON run WHEN OLD.number <> NEW.number OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE stream_id IN (OLD.stream_id, NEW.stream_id);
END;

-- What every tick does: to look first is quicker than to delete nothing.
DROP TRIGGER wide_day_span_end;
CREATE TRIGGER wide_day_span_end AFTER UPDATE ON recorded_span
WHEN OLD.from_us = NEW.from_us AND OLD.run_id = NEW.run_id AND OLD.provenance = NEW.provenance AND OLD.stream_id = NEW.stream_id
    AND EXISTS (SELECT 1 FROM wide_day WHERE stream_id = NEW.stream_id
        AND day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000) BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id = NEW.stream_id;
END;
