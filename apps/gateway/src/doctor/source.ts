/** Where the settings came from. */
export interface Source {
  /** The settings as they were given: the environment, and what files add. */
  given: Readonly<Record<string, string | undefined>>
  /** Whether there is any setting of a node. */
  hasSettings: boolean
  /** The files that were read for it. */
  files: readonly string[]
  /** The settings in one of these files. */
  inFile(file: string): Readonly<Record<string, string | undefined>>
  /** The text of one of these files. */
  textOf(file: string): string
  /** Why a node would not take the settings, one sentence each. */
  problems: readonly string[]
}
