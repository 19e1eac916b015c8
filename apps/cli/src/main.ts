#!/usr/bin/env sh
true //; exec node -- "$0" "$@"

/*
 * The command `saoma`. An older Node has to understand this file, so that it can say which Node is needed.
 * Everything else is imported when that is known.
 *
 * A shell reads the first two lines: Node would look for its own options, such as --env-file, behind the name
 * of this file too, and end with code 9 before it begins. `--` prevents that.
 */

const WANTED_NODE = 24

const refuse = (sentence: string): void => {
  console.error(sentence)
  process.exitCode = 1
}

if (Number(process.versions.node.split('.')[0]) < WANTED_NODE)
  refuse(`This is Node ${process.version}. saoma needs Node ${WANTED_NODE} or newer: https://nodejs.org`)
else if (process.platform === 'win32') refuse('Saoma runs on Linux and macOS. On Windows use WSL.')
else {
  const { run } = await import('./run.ts')
  await run(process.argv.slice(2))
}
