import { accessSync, constants, statSync } from 'node:fs'
import { styleText } from 'node:util'
import { nodeFlags } from '@saoma/testing/node-flags'
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander'
import { become } from './become.ts'
import { complete, scripts } from './completion.ts'
import { init } from './init/init.ts'
import { type Program, programs, type Words } from './programs.ts'
import { version } from './version.ts'

const FAILED = 1
const WRONG_USAGE = 2

const examples = `
Examples:
  saoma start                                 a cluster on http://127.0.0.1:8080, unless --port says otherwise
  saoma key create shop 'room:*,user:*'       an API key for a backend, which that cluster takes at once
  saoma init login --origin https://login.example.com
                                              a folder for docker compose, with fresh secrets
  saoma node --env-file node.env              one node, for your own supervisor
  saoma load login idle --url https://login.example.com

Settings of key, sessions, accounts, audit, pool, doctor and node come from the environment, and from files
that --env-file names. Without that option all but node read .saoma/cluster.env, which a running saoma start
keeps there.

Exit codes: 0 done, 1 failed, 2 wrong usage.`

/** Commander's message as a sentence. */
const sentenceOf = (message: string): string =>
  message.replace(/^error: (.)/, (_, first: string) => first.toUpperCase()).replace(/\n\((.+)\)\n$/, '. $1\n')

const bold = (text: string): string => styleText('bold', text, { validateStream: false })

const originOf = (text: string): string => {
  if (/^https?:/.test(text) && URL.parse(text)?.origin === text) return text
  throw new InvalidArgumentError('It must be such as https://login.example.com, without a path.')
}

/** Of a repeated option. Node itself would end with code 9 and without a sentence. */
const withEnvFile = (file: string, all: readonly string[]): string[] => {
  try {
    accessSync(file, constants.R_OK)
    if (!statSync(file).isDirectory()) return [...all, file]
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  throw new InvalidArgumentError('It is a folder.')
}

const becomeNode = ({ envFile }: { envFile: readonly string[] }): void => {
  become('apps/gateway/src/main', [], [...nodeFlags, ...envFile.map((file) => `--env-file=${file}`)])
}

/** A program, as the list of commands has it. Its arguments never get here. */
const listed = (saoma: Command, { name, summary }: Program): void => {
  saoma.command(name).summary(summary).usage('…')
}

/** What the command line consists of, for completion. */
const wordsOf = (saoma: Command): Words => {
  const own = saoma.commands.filter((command) => !programs.some(({ name }) => name === command.name()))
  const optionsOf = (command: Command): string[] =>
    command.options.map(({ long, required }) => `${long}${required ? '=' : ''}`)
  const commands: Record<string, Words> = Object.fromEntries([
    ...programs.map(({ name, words }) => [name, words] as const),
    ...own.map((command) => {
      const values = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])
      return [command.name(), { options: [...optionsOf(command), '--help'], values }] as const
    }),
  ])
  delete commands.complete
  return {
    options: [...optionsOf(saoma), '--help'],
    commands: { ...commands, help: { values: Object.keys(commands) } },
  }
}

const createCommand = (): Command => {
  const saoma = new Command('saoma')
    .description('Scan a code with a phone to log in on the web, and live messages: the nodes and their tools.')
    .usage('<command> [options]')
    .version(version, '-V, --version', 'the version, of the nodes too')
    .helpOption('-h, --help', 'this text; saoma <command> --help has more')
    .helpCommand('help [command]', 'what a command does')
    .configureHelp({ styleTitle: bold, subcommandTerm: (command) => command.name(), helpWidth: 110 })
    .configureOutput({ outputError: (message, write) => write(sentenceOf(message)) })
    .showHelpAfterError('See: saoma --help')
    .addHelpText('after', examples)
    .exitOverride()

  for (const program of programs.slice(0, 1)) listed(saoma, program)
  saoma
    .command('node')
    .summary('one node of a cluster')
    .description('Runs one node. Every setting is explained in .env.template of the repository.')
    .option('--env-file <file>', 'settings, as Node reads them; may be repeated', withEnvFile, [])
    .action(becomeNode)
  for (const program of programs.slice(1)) listed(saoma, program)
  saoma
    .command('init')
    .summary('a folder to run it for real: for docker compose, or for Kubernetes')
    .description(
      'Writes what docker compose needs: compose.yml, .env with fresh secrets, the files of nginx and Redis, and a README.md with the next steps. It never overwrites secrets.',
    )
    .argument('[folder]', 'where; it may be missing', '.')
    .option('--k8s', 'a kustomize overlay for Kubernetes instead')
    .option('--origin <url>', 'the public address, such as https://login.example.com', originOf)
    .option('--force', 'overwrite the files that are there, but for .env and other secrets')
    .action(async (folder: string, options: { k8s?: true; origin?: string; force?: true }) => {
      const { k8s = false, origin, force = false } = options
      await init({ folder, k8s, origin, force }, (line) => console.log(line))
    })
  saoma
    .command('completion')
    .summary('a script that completes commands in your shell')
    .description('Prints a script for your shell. Its first lines say where to put it.')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .action((shell: keyof typeof scripts) => {
      process.stdout.write(scripts[shell])
    })
  saoma
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words: string[]) => {
      for (const word of complete(wordsOf(saoma), words)) console.log(word)
    })
  return saoma
}

/** Does what the arguments ask for, and sets the exit code. Never rejects. */
export const run = async (args: readonly string[]): Promise<void> => {
  const [first, ...rest] = args
  const named = (name: string | undefined) => programs.find((program) => program.name === name)
  try {
    // Before anything parses them: a program has options of its own.
    const program = named(first)
    if (program) become(program.path, rest)
    const asked = first === 'help' ? named(rest[0]) : undefined
    if (asked) become(asked.path, ['--help'])
    await createCommand().parseAsync([...args], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE
      return
    }
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = FAILED
  }
}
