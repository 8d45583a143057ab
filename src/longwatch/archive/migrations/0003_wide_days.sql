-- Days of streams for wide views.

-- A day (UTC, since 1970) of a stream for wide views, packed (timeline/wide.py): what of it is not held footage. Made from the rows
-- above by the recorder once the day is accounted for (archive/wide_days.py), and nothing but what they say: the triggers drop the
-- row with every change of what it was made from, whoever makes it. A day without a row is read from the rows themselves.
-- By day first: a month of all cameras is one range.
CREATE TABLE wide_day (
    day INTEGER NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES stream,
    pieces BLOB NOT NULL,
    PRIMARY KEY (day, stream_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER wide_day_span_new AFTER INSERT ON recorded_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND NEW.to_us / 86400000000 AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_span_old AFTER DELETE ON recorded_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND OLD.to_us / 86400000000 AND stream_id = OLD.stream_id;
END;
-- A span that only grows, as with every tick, leaves the days before its end alone.
CREATE TRIGGER wide_day_span_end AFTER UPDATE ON recorded_span
WHEN OLD.from_us = NEW.from_us AND OLD.run_id = NEW.run_id AND OLD.provenance = NEW.provenance AND OLD.stream_id = NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_span_other AFTER UPDATE ON recorded_span
WHEN OLD.from_us <> NEW.from_us OR OLD.run_id <> NEW.run_id OR OLD.provenance <> NEW.provenance OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

-- An open gap reaches as far as time does.
CREATE TRIGGER wide_day_gap_new AFTER INSERT ON gap BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND coalesce(NEW.to_us, 9000000000000000000) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gap_old AFTER DELETE ON gap BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND coalesce(OLD.to_us, 9000000000000000000) / 86400000000
        AND stream_id = OLD.stream_id;
END;
CREATE TRIGGER wide_day_gap_end AFTER UPDATE ON gap
WHEN OLD.from_us = NEW.from_us AND OLD.cause = NEW.cause AND OLD.stream_id = NEW.stream_id AND OLD.to_us IS NOT NEW.to_us BEGIN
    DELETE FROM wide_day WHERE day BETWEEN
        min(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gap_other AFTER UPDATE ON gap
WHEN OLD.from_us <> NEW.from_us OR OLD.cause <> NEW.cause OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

CREATE TRIGGER wide_day_gone_new AFTER INSERT ON gone_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND NEW.to_us / 86400000000 AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gone_old AFTER DELETE ON gone_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND OLD.to_us / 86400000000 AND stream_id = OLD.stream_id;
END;
CREATE TRIGGER wide_day_gone_other AFTER UPDATE ON gone_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

-- Before it was set up it never recorded; after, it is unknown.
CREATE TRIGGER wide_day_set_up AFTER UPDATE OF set_up_us ON stream WHEN OLD.set_up_us IS NOT NEW.set_up_us BEGIN
    DELETE FROM wide_day WHERE stream_id = NEW.id;
END;
