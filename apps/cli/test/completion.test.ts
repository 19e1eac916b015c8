import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { complete } from '../src/completion.ts'
import { programs, type Words } from '../src/programs.ts'
import { main, newFolder, root, runProgram, saoma } from './saoma.ts'

const tree: Words = {
  options: ['--help'],
  commands: {
    key: { commands: { create: { options: ['--file=', '--json'] }, list: {} } },
    load: { options: ['--url='], values: ['login', 'idle'] },
    start: { options: ['--lan'] },
  },
}

test.each([
  [[''], ['key', 'load', 'start']],
  [['k'], ['key']],
  [['-'], ['--help']],
  [['key', 'c'], ['create']],
  [
    ['key', 'create', '--'],
    ['--file', '--json'],
  ],
  [
    ['key', 'create', ''],
    ['--file', '--json'],
  ],
  [['key', 'create', '--file', ''], []],
  [['key', 'create', '--file', 'list', '--j'], ['--json']],
  [['key', 'create', '--', '--'], []],
  [['load', 'login', 'i'], ['idle']],
  [['load', '--url', 'key', 'l'], ['login']],
  [['nothing', 'k'], ['key']],
])('after %j come %j', (words, expected) => {
  expect(complete(tree, words)).toEqual(expected)
})

/** All words of a tree, with the commands that lead to them. */
const optionsOf = ({ options = [], commands = {} }: Words): string[] => [
  ...options.map((option) => option.replace(/=$/, '')),
  ...Object.values(commands).flatMap(optionsOf),
]
const wordsOf = ({ values = [], commands = {} }: Words): string[] => [...values, ...Object.keys(commands)]

test.each(
  programs
    .filter(({ path }) => existsSync(join(root, `${path}.ts`)))
    .map((program) => [program.name, program] as const),
)('the options and words of %s are those of its help', async (name, { words }) => {
  const { text } = await saoma([name, '--help'])
  // Other commands that it names have options of their own. --watch is of the repository only.
  const explained = new Set(text.replaceAll(/npm (?:start|run \w+) -- .*$/gm, '').match(/(?<![\w-])--[a-z][a-z-]+/g))
  explained.delete('--watch')
  expect(new Set([...optionsOf(words), '--help'])).toEqual(new Set([...explained, '--help']))
  for (const word of wordsOf(words)) expect(text).toMatch(new RegExp(`^ +${word}\\b`, 'm'))
})

/** A folder with the command, for a PATH. */
const folderWithCommand = async (): Promise<string> => {
  const folder = await newFolder()
  await writeFile(join(folder, 'saoma'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`)
  await chmod(join(folder, 'saoma'), 0o755)
  return folder
}
const inShell = async (shell: string, lines: readonly string[]) => {
  const folder = await folderWithCommand()
  return runProgram(shell, ['-c', lines.join('\n')], { env: { PATH: `${folder}:${process.env.PATH}` }, cwd: folder })
}
const isThere = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0
const testIn = (shell: string): jest.It => (isThere(shell) ? test : test.skip)

testIn('bash')('bash completes (skipped without bash)', async () => {
  const at = (...words: string[]) => [
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _saoma`,
    `echo "[\${COMPREPLY[*]}]"`,
  ]
  const { code, text } = await inShell('bash', [
    'eval "$(saoma completion bash)"',
    'complete -p saoma',
    ...at('saoma', 'key', 'c'),
    ...at('saoma', 'key', ''),
    ...at('saoma', 'init', '--k'),
    ...at('saoma', 'completion', 'b'),
    ...at('saoma', 'key', 'list', '--file', ''),
    // A word is never evaluated.
    ...at('saoma', '$(touch evil)', '`touch evil`'),
    '[ ! -e evil ] && echo unharmed',
  ])
  expect(text.split('\n')).toEqual([
    'complete -o default -F _saoma saoma',
    '[create]',
    '[create list rotate revoke]',
    '[--k8s]',
    '[bash]',
    '[]',
    '[]',
    'unharmed',
  ])
  expect(code).toBe(0)
})

/** Runs a shell on a terminal, and types what is in a file. The one of Linux only has this option. */
const hasTerminal = isThere('bash') && spawnSync('script', ['--version']).status === 0
const testTyped: jest.It = hasTerminal ? test : test.skip

testTyped('bash completes what a person types, also after = and : (skipped without bash or script)', async () => {
  const folder = await newFolder()
  const node = `exec "${process.execPath}" -- "${main}" "$@"`
  // Runs nothing but completion, and prints the words that it would run with.
  const command = `#!/bin/sh\ncase $1 in complet*) ${node} ;; esac\nprintf '<%s>' "$@" >>told; echo >>told\n`
  await writeFile(join(folder, 'saoma'), command)
  await chmod(join(folder, 'saoma'), 0o755)
  await writeFile(join(folder, 'node.env'), '')
  await writeFile(join(folder, 'rc'), `PATH=${folder}:$PATH\neval "$(saoma completion bash)"\n`)
  const typed = [
    'key --file=list cr\tshop',
    'key create --file=list --j\t',
    'key list --env-file=no\t',
    'load --url=http://127.0.0.1:8080 id\t',
    'load --expect=lost==0 --ur\thttp://x',
    'key create shop room: --j\t',
    "key create shop 'room:*' --j\t",
  ]
  await writeFile(join(folder, 'typed'), `${typed.map((words) => `saoma ${words}\n`).join('')}exit\n`)
  await runProgram('/bin/sh', ['-c', `exec script -qc 'bash --noprofile --rcfile rc -i' /dev/null <typed`], {
    cwd: folder,
    env: { TERM: 'dumb', HOME: folder },
  })
  expect((await readFile(join(folder, 'told'), 'utf8')).trimEnd().split('\n')).toEqual([
    '<key><--file=list><create><shop>',
    '<key><create><--file=list><--json>',
    '<key><list><--env-file=node.env>',
    '<load><--url=http://127.0.0.1:8080><idle>',
    '<load><--expect=lost==0><--url><http://x>',
    '<key><create><shop><room:><--json>',
    '<key><create><shop><room:*><--json>',
  ])
})

testIn('zsh')('zsh completes (skipped without zsh)', async () => {
  const { text } = await inShell('zsh', [
    'compdef() { registered=$1 }; compadd() { shift; print -r -- "[$*]" }; _files() { print files }',
    'eval "$(saoma completion zsh)"',
    'print $registered',
    'words=(saoma key c); CURRENT=3; _saoma',
    "words=(saoma key ''); CURRENT=3; _saoma",
    "words=(saoma key list --file ''); CURRENT=5; _saoma",
  ])
  expect(text.split('\n')).toEqual(['_saoma', '[create]', '[create list rotate revoke]', 'files'])
})

testIn('fish')('fish completes (skipped without fish)', async () => {
  const { text } = await inShell('fish', [
    'saoma completion fish | source',
    "complete -C 'saoma key c'",
    "complete -C 'saoma key '",
    "complete -C 'saoma key list --file sao'",
  ])
  expect(text.split('\n')).toEqual(['create', 'create', 'list', 'revoke', 'rotate', 'saoma'])
})
