//! The queue's tables, and the questions that several places ask.

/// Version of the tables.
pub(super) const FORMAT: &str = "2";

/// Taken while the tables are made or an order is entered: stations may start at the same moment.
pub(super) const SET_UP_LOCK: i64 = 0x4950_4165;

/// The tables. A session is one life of a station; a card is leased to the session that saw it in a
/// reader, and reserved by one that may take any card (virtual cards).
pub(super) const TABLES: &str = "
CREATE SCHEMA IF NOT EXISTS ipae;
CREATE TABLE IF NOT EXISTS ipae.meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS ipae.sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, station text NOT NULL, place text NOT NULL,
    ttl double precision NOT NULL, begun timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz,
    -- Cards that were done in it: so that nobody has to count the order's.
    done bigint NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS one_session_a_station ON ipae.sessions (station) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS ipae.cards (
    eid text PRIMARY KEY, place bigint NOT NULL, state text NOT NULL, attempts integer NOT NULL DEFAULT 0,
    exit_code smallint, error text, failed_step text, evidence text, finished text, token bigint,
    worker text, chip text, rotation text, station text,
    lease bigint REFERENCES ipae.sessions (id), reserved bigint REFERENCES ipae.sessions (id), holder text);
CREATE INDEX IF NOT EXISTS cards_open ON ipae.cards (place) WHERE state <> 'done';
CREATE TABLE IF NOT EXISTS ipae.steps (
    id bigint GENERATED ALWAYS AS IDENTITY, eid text NOT NULL REFERENCES ipae.cards (eid), step text NOT NULL,
    begun integer NOT NULL, ended integer NOT NULL DEFAULT 0, detail text, took_ms bigint,
    PRIMARY KEY (eid, step));
CREATE TABLE IF NOT EXISTS ipae.receipts (
    station text NOT NULL, sequence bigint NOT NULL, eid text NOT NULL UNIQUE REFERENCES ipae.cards (eid),
    hash text NOT NULL, text text NOT NULL, PRIMARY KEY (station, sequence));
CREATE TABLE IF NOT EXISTS ipae.take_overs (
    eid text NOT NULL REFERENCES ipae.cards (eid), from_session bigint NOT NULL REFERENCES ipae.sessions (id),
    to_session bigint NOT NULL REFERENCES ipae.sessions (id), at timestamptz NOT NULL DEFAULT clock_timestamp());
";

/// A card that may be taken from the tray: not done, not set aside, in no live station's hands.
/// Locked rows are another station's this very moment.
pub(super) const CHOOSE: &str = "
SELECT c.eid FROM ipae.cards c
  LEFT JOIN ipae.sessions l ON l.id = c.lease
  LEFT JOIN ipae.sessions r ON r.id = c.reserved
WHERE c.state <> 'done' AND (c.exit_code IS NULL OR c.exit_code <> ALL ($1)) AND c.eid <> ALL ($2)
  AND (c.lease IS NULL OR l.ended IS NOT NULL OR l.seen + make_interval(secs => l.ttl) < clock_timestamp())
  AND (c.reserved IS NULL OR r.ended IS NOT NULL OR r.seen + make_interval(secs => r.ttl) < clock_timestamp())
ORDER BY c.place LIMIT 1 FOR UPDATE OF c SKIP LOCKED";

/// Whose a session is, and whether it lives: its station, not ended, heard of within its time.
pub(super) const SESSION: &str = "
SELECT station, ended IS NULL AND seen + make_interval(secs => ttl) >= clock_timestamp()
FROM ipae.sessions WHERE id = $1";

/// A station's session that was not ended: its id, whether it lives, and where it is.
pub(super) const FORMER: &str = "
SELECT id, seen + make_interval(secs => ttl) >= clock_timestamp(), place,
  extract(epoch FROM clock_timestamp() - seen)::double precision
FROM ipae.sessions WHERE station = $1 AND ended IS NULL FOR UPDATE";

/// A card is its finder's.
pub(super) const CLAIM: &str = "
UPDATE ipae.cards SET state = 'working', attempts = attempts + 1, exit_code = NULL, error = NULL,
  failed_step = NULL, evidence = NULL, worker = $2, holder = $2, chip = $3, lease = $4, reserved = NULL,
  station = $5
WHERE eid = $1 RETURNING attempts";

/// A step is about to start, of a card that is still this session's.
pub(super) const BEGIN_STEP: &str = "
INSERT INTO ipae.steps AS s (eid, step, begun)
SELECT c.eid, $2, 1 FROM ipae.cards c JOIN ipae.sessions l ON l.id = c.lease
WHERE c.eid = $1 AND c.lease = $3 AND l.ended IS NULL
ON CONFLICT (eid, step) DO UPDATE SET begun = s.begun + 1";

/// A step ended, of a card that is still this session's.
pub(super) const END_STEP: &str = "
UPDATE ipae.steps s SET ended = s.ended + 1, detail = $3, took_ms = $4
FROM ipae.cards c JOIN ipae.sessions l ON l.id = c.lease
WHERE s.eid = $1 AND s.step = $2 AND c.eid = s.eid AND c.lease = $5 AND l.ended IS NULL";

/// A card ended with an error.
pub(super) const FAIL: &str = "
UPDATE ipae.cards SET state = 'failed', exit_code = $3, error = $4, failed_step = $5, evidence = $6,
  lease = NULL, reserved = NULL, holder = NULL
WHERE eid = $1 AND lease = $2";

/// Cards that are neither done nor failed, and in the hands of a session that lives and isn't this one.
pub(super) const ELSEWHERE: &str = "
SELECT count(*) FROM ipae.cards c JOIN ipae.sessions s ON s.id = coalesce(c.lease, c.reserved)
WHERE c.state IN ('pending', 'working') AND s.id <> $1 AND s.ended IS NULL
  AND s.seen + make_interval(secs => s.ttl) >= clock_timestamp()";

/// A card is done.
pub(super) const FINISH: &str = "
UPDATE ipae.cards SET state = 'done', finished = $3, lease = NULL, reserved = NULL, holder = NULL
WHERE eid = $1 AND lease = $2";
