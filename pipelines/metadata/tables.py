"""The tables of the store.

`runs` and `steps` are views, for those who ask with `sqlite3`: contexts of type `run`, and
executions with the number of their run.
"""

SCHEMA = 1
"""Version of the tables, in `PRAGMA user_version`. The tables of 0 knew no types and contexts."""

TABLES = f"""
CREATE TABLE types (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('ARTIFACT', 'EXECUTION', 'CONTEXT')),
    name TEXT NOT NULL, UNIQUE (kind, name));
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY, type INTEGER NOT NULL REFERENCES types(id),
    name TEXT NOT NULL, uri TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'LIVE', 'DELETED', 'ABANDONED')),
    identity TEXT, created REAL NOT NULL, updated REAL NOT NULL, properties TEXT NOT NULL);
CREATE TABLE executions (
    id INTEGER PRIMARY KEY, type INTEGER NOT NULL REFERENCES types(id),
    state TEXT NOT NULL CHECK (state IN ('RUNNING', 'COMPLETE', 'CACHED', 'FAILED')),
    fingerprint TEXT NOT NULL, started REAL NOT NULL, ended REAL, peak_memory INTEGER,
    parameters TEXT NOT NULL, summary TEXT, error TEXT);
CREATE TABLE events (
    execution INTEGER NOT NULL REFERENCES executions(id),
    artifact INTEGER NOT NULL REFERENCES artifacts(id),
    kind TEXT NOT NULL CHECK (kind IN ('INPUT', 'OUTPUT')), time REAL NOT NULL,
    PRIMARY KEY (execution, artifact, kind)) WITHOUT ROWID;
CREATE TABLE contexts (
    id INTEGER PRIMARY KEY, type INTEGER NOT NULL REFERENCES types(id),
    name TEXT NOT NULL, created REAL NOT NULL, properties TEXT NOT NULL, UNIQUE (type, name));
CREATE TABLE parents (
    context INTEGER NOT NULL REFERENCES contexts(id),
    parent INTEGER NOT NULL REFERENCES contexts(id),
    PRIMARY KEY (context, parent)) WITHOUT ROWID;
CREATE TABLE associations (
    context INTEGER NOT NULL REFERENCES contexts(id),
    execution INTEGER NOT NULL REFERENCES executions(id),
    PRIMARY KEY (context, execution)) WITHOUT ROWID;
CREATE TABLE attributions (
    context INTEGER NOT NULL REFERENCES contexts(id),
    artifact INTEGER NOT NULL REFERENCES artifacts(id),
    PRIMARY KEY (context, artifact)) WITHOUT ROWID;
CREATE INDEX artifacts_by_name ON artifacts (name, identity);
CREATE INDEX events_by_artifact ON events (artifact);
CREATE INDEX associations_by_execution ON associations (execution);
CREATE VIEW runs AS
    SELECT CAST(c.name AS INTEGER) AS id, c.created AS started,
        json_extract(c.properties, '$.ended') AS ended,
        json_extract(c.properties, '$.state') AS state,
        json_extract(c.properties, '$.config') AS config,
        json_extract(c.properties, '$.data') AS data, c.id AS context, c.properties AS properties
    FROM contexts c JOIN types t ON t.id = c.type WHERE t.kind = 'CONTEXT' AND t.name = 'run';
CREATE VIEW steps AS
    SELECT e.id AS id, r.id AS run, t.name AS component, e.state AS state,
        e.fingerprint AS fingerprint, e.started AS started, e.ended AS ended,
        e.peak_memory AS peak_memory, e.parameters AS parameters, e.summary AS summary,
        e.error AS error
    FROM executions e JOIN types t ON t.id = e.type JOIN associations a ON a.execution = e.id
    JOIN runs r ON r.context = a.context;
PRAGMA user_version = {SCHEMA};
"""
