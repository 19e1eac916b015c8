import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** The shop's data, in one file. Queries are synchronous, because each takes microseconds. */
export interface Database {
  prepare(sql: string): StatementSync
  /** Runs `work` in a transaction, which is rolled back if it throws. */
  transaction<T>(work: () => T): T
  close(): void
}

const BUSY_TIMEOUT_MS = 2_000

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS orders (
    tableName TEXT PRIMARY KEY,
    body      TEXT NOT NULL
  ) STRICT;
  -- Edits that were made, so that one that is sent again is not made again.
  CREATE TABLE IF NOT EXISTS edits (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS editsByTime ON edits (at);
  CREATE TABLE IF NOT EXISTS jobs (
    id      TEXT PRIMARY KEY,
    person  TEXT NOT NULL,
    request TEXT NOT NULL,
    city    TEXT NOT NULL,
    started INTEGER NOT NULL,
    outcome TEXT,
    UNIQUE (person, request)
  ) STRICT;
  -- Messages that are to be published, in the order in which they were written.
  CREATE TABLE IF NOT EXISTS outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    due     INTEGER NOT NULL,
    message TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS outboxByDue ON outbox (due);
  CREATE INDEX IF NOT EXISTS outboxByChannel ON outbox (channel);
`

/** @param file  created if it does not exist */
export const openDatabase = (file: string): Database => {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  database.exec('PRAGMA journal_mode = WAL')
  database.exec(SCHEMA)
  return {
    prepare: (sql) => database.prepare(sql),
    transaction: (work) => {
      database.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        database.exec('COMMIT')
        return result
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    },
    close: () => database.close(),
  }
}
