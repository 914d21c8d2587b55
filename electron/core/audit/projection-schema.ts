import { TOKENIZER } from './search-words.ts';

/** Any other version of the file is thrown away and made anew: nothing in it is not in `audit.db` as well. */
export const PROJECTION_VERSION = 2;

/**
 * One row per record, found by the number of its first entry, so that it stands still while the call goes on. Each index
 * is for one filter alone and ends, as every index of SQLite, in the row's number: a page is then read from where it
 * begins. `seqs` names all entries of the record, so that they are read from where they lie together. `spans` gives for a stretch of numbers the times in it, since a clock may be set back and numbers may not.
 * `forgotten`: up to where retention removed the log and nothing of it is left here either.
 */
export const projectionSchema = `
CREATE TABLE records (
  first           INTEGER PRIMARY KEY,
  seqs            TEXT NOT NULL,
  request_id      TEXT,
  at              INTEGER NOT NULL,
  workspace       TEXT,
  client_id       TEXT,
  client          TEXT,
  key_prefix      TEXT,
  session         TEXT,
  era             TEXT,
  upstream        TEXT,
  connection      TEXT,
  kind            TEXT NOT NULL,
  tool            TEXT,
  risk            TEXT,
  effect          TEXT,
  rule            TEXT,
  standing        TEXT,
  approval        TEXT,
  approved_by     TEXT,
  edited          INTEGER NOT NULL,
  outcome         TEXT,
  error_class     TEXT,
  error_code      INTEGER,
  total_ms        INTEGER,
  upstream_ms     INTEGER,
  waited_ms       INTEGER,
  arguments_bytes INTEGER,
  result_bytes    INTEGER
) STRICT;
CREATE UNIQUE INDEX records_by_request ON records (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX records_by_client ON records (client) WHERE client IS NOT NULL;
CREATE INDEX records_by_client_id ON records (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX records_by_client_effect ON records (client, effect) WHERE client IS NOT NULL;
CREATE INDEX records_by_upstream ON records (upstream) WHERE upstream IS NOT NULL;
CREATE INDEX records_by_tool ON records (tool) WHERE tool IS NOT NULL;
CREATE INDEX records_by_effect ON records (effect) WHERE effect IS NOT NULL;
CREATE INDEX records_by_rule ON records (rule) WHERE rule IS NOT NULL;
CREATE INDEX records_by_outcome ON records (outcome) WHERE outcome IS NOT NULL;
CREATE INDEX records_by_error_class ON records (error_class) WHERE error_class IS NOT NULL;
CREATE INDEX records_by_kind ON records (kind);
CREATE INDEX records_by_workspace ON records (workspace) WHERE workspace IS NOT NULL;
CREATE TABLE spans (
  span   INTEGER PRIMARY KEY,
  min_at INTEGER NOT NULL,
  max_at INTEGER NOT NULL
) STRICT;
CREATE TABLE cursor (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  seq  INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TABLE forgotten (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  up_to INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE record_text USING fts5 (words, content = '', contentless_delete = 1, ${TOKENIZER});
`;

/** Records whose first entries are one `span`: `first / SPAN`. */
export const SPAN = 1_024;
