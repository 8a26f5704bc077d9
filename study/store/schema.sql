-- What the lab keeps, in SQLite and in PostgreSQL alike. docs/study.md explains the words.
--
--   sqlite3 -box study.sqlite "SELECT subject, workload, value FROM samples WHERE phase = 'steady'"
--
-- Every sample of every trial stands here as it was measured. To take a run away, delete its
-- samples, its trials, and then the run.

-- The mark of a database of the lab: one row.
CREATE TABLE study (
  schema_version INTEGER NOT NULL  -- of this text; a program knows one
);

-- Where trials ran. A machine that changes (another system, another GPU) is another row.
CREATE TABLE machine (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL,     -- a random name, yours to change; never the host's
  cpu    TEXT NOT NULL,     -- what the processor calls itself
  cores  INTEGER NOT NULL,  -- that the lab may use
  memory BIGINT NOT NULL,   -- bytes
  system TEXT NOT NULL,     -- operating system and kernel
  gpu    TEXT NOT NULL      -- the adapter that the browser found, or why there is none
);

-- All trials from one call of `fjord-study run`.
CREATE TABLE run (
  id      INTEGER PRIMARY KEY,  -- 1, 2, .. in the order in which they started
  machine INTEGER NOT NULL REFERENCES machine (id),
  started TEXT NOT NULL,        -- UTC, ISO 8601
  ended   TEXT NOT NULL,        -- UTC, ISO 8601; empty while it goes on or if it was stopped
  browser TEXT NOT NULL,        -- name and version
  seed    TEXT NOT NULL,        -- of the order of the trials: decimal, up to 2^64 - 1
  options TEXT NOT NULL         -- JSON: workloads, rounds, budgets, subjects, frozen for the run
);

-- One fresh page, or one process, for a cell. Written once, when it has ended.
CREATE TABLE trial (
  run        INTEGER NOT NULL REFERENCES run (id),
  id         INTEGER NOT NULL,           -- within its run, from 1, in the order of the plan
  round      INTEGER NOT NULL,           -- from 0
  subject    TEXT NOT NULL,              -- a folder of study/subjects: 'tfjs'
  backend    TEXT NOT NULL,              -- 'webgl'
  task       TEXT NOT NULL,              -- a folder of study/tasks: 'train'
  family     TEXT NOT NULL,              -- a folder of study/workloads: 'dense'; '' for a task without a network
  depth      INTEGER NOT NULL,           -- layers of the network, as the family counts them; 0 likewise
  width      INTEGER NOT NULL,           -- units or kernels of each; 0 likewise
  started    TEXT NOT NULL,              -- UTC, ISO 8601
  seconds    DOUBLE PRECISION NOT NULL,  -- wall clock, all of the trial
  outcome    TEXT NOT NULL,              -- ok, wrong, unsupported, timeout, crash or error
  message    TEXT NOT NULL,              -- the reason of any outcome but ok
  version    TEXT NOT NULL,              -- of the subject's package
  engine     TEXT NOT NULL,              -- what it says of itself: 'wasm simd, 2 threads'
  checked    TEXT NOT NULL,              -- what was compared: output, loss, falling, or nothing: ''
  difference DOUBLE PRECISION,           -- the largest, relative; for 'falling' the last loss
                                         -- over the first; NULL where it is not a number
  tolerance  DOUBLE PRECISION NOT NULL,  -- what it may be at most
  facts      TEXT,                       -- JSON: what a probe read from the package; NULL elsewhere
  PRIMARY KEY (run, id)
);

-- One number that a trial measured.
CREATE TABLE sample (
  run      INTEGER NOT NULL,
  trial    INTEGER NOT NULL,
  position INTEGER NOT NULL,           -- from 0, in the order in which they were measured
  phase    TEXT NOT NULL,              -- what it is of: 'steady', 'memory', ..
  unit     TEXT NOT NULL,              -- of the value: ms, bytes, percent (of one core), calls
  value    DOUBLE PRECISION NOT NULL,  -- finite
  PRIMARY KEY (run, trial, position),
  FOREIGN KEY (run, trial) REFERENCES trial (run, id)
);

-- All of it in one place: a row a sample. Trials without samples (unsupported, crashed) are only in
-- `trial`.
CREATE VIEW samples AS
SELECT
  run.id AS run, run.started AS run_started, run.seed, run.browser,
  machine.name AS machine, machine.cpu, machine.cores, machine.memory AS machine_memory,
  machine.system, machine.gpu,
  trial.id AS trial, trial.round, trial.subject, trial.version, trial.backend, trial.engine,
  trial.task,
  CASE trial.depth  -- 'dense/2x128', as in docs/study.md
    WHEN 0 THEN ''
    ELSE trial.family || '/' || CAST(trial.depth AS TEXT) || 'x' || CAST(trial.width AS TEXT)
  END AS workload,
  trial.family, trial.depth, trial.width, trial.started, trial.seconds, trial.outcome, trial.message,
  trial.checked, trial.difference, trial.tolerance,
  sample.position, sample.phase, sample.unit, sample.value
FROM sample
JOIN trial ON trial.run = sample.run AND trial.id = sample.trial
JOIN run ON run.id = trial.run
JOIN machine ON machine.id = run.machine;
