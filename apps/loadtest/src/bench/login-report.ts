import { table } from '../table.ts'
import type { LoginResult, LoginRound } from './login.ts'
import { type Step, stepNames } from './login-walk.ts'
import { median, sum } from './numbers.ts'

const us = (value: number) => value.toFixed(0)
const total = (parts: Record<string, number>) => sum(Object.values(parts))

/** The steps, and their sum. */
const chapters: readonly { name: string; of: readonly Step[] }[] = [
  ...stepNames.map((step) => ({ name: step as string, of: [step] })),
  { name: 'a login', of: stepNames },
]

/** The median over the rounds of the sum of `pick` over the steps. */
const over = (rounds: readonly LoginRound[], of: readonly Step[], pick: (round: LoginRound, step: Step) => number) =>
  median(rounds.map((round) => sum(of.map((step) => pick(round, step)))))

/** What the audit costs of a login: measured alone, and by comparison with nodes that write none. */
const auditLines = (rounds: readonly LoginRound[]): string[] => {
  const audited = rounds.map(({ direct }) => sum(stepNames.map((step) => total(direct[step]))))
  const unaudited = rounds.map((round) => sum(stepNames.map((step) => total(round.unaudited[step]))))
  const share = median(rounds.map(({ audit }, i) => audit / (audited[i] ?? Number.NaN)))
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`
  const compared = audited.map((cost, i) => percent(cost / (unaudited[i] ?? Number.NaN) - 1))
  return [
    `The audit of a login takes ${us(median(rounds.map(({ audit }) => audit)))} of these, which is ${percent(share)}; they were written alone, as by the browser's and the phone's node.`,
    `Through nodes without the audit a login takes ${us(median(unaudited))}. With it: ${compared.join(', ')} more, round by round.`,
  ]
}

export const loginReport = ({ logins, rounds, crypto, idle }: LoginResult): string => {
  const middle = (of: readonly Step[], pick: (round: LoginRound, step: Step) => number) => over(rounds, of, pick)
  const ratio = (of: readonly Step[]) =>
    median(
      rounds.map(
        ({ direct, floor }) => sum(of.map((step) => total(direct[step]))) / sum(of.map((step) => total(floor[step]))),
      ),
    )
  const cells = (of: readonly Step[], picks: readonly ((round: LoginRound, step: Step) => number)[]) =>
    picks.map((pick) => us(middle(of, pick)))
  const each = (of: readonly Step[], pick: (round: LoginRound, step: Step) => number) =>
    rounds.map((round) => us(sum(of.map((step) => pick(round, step))))).join(' ')

  const direct = table(
    [
      '',
      "browser's node",
      "phone's node",
      'redis',
      'in all',
      'koa and ws',
      'scripts',
      'ES256',
      'floor',
      'ratio',
      'rounds',
    ],
    chapters.map(({ name, of }) => [
      name,
      ...cells(of, [
        ({ direct }, step) => direct[step].browserNode,
        ({ direct }, step) => direct[step].phoneNode,
        ({ direct }, step) => direct[step].redis,
        ({ direct }, step) => total(direct[step]),
        ({ floor }, step) => floor[step].http,
        ({ floor }, step) => floor[step].scripts,
        ({ floor }, step) => floor[step].crypto,
        ({ floor }, step) => total(floor[step]),
      ]),
      `${ratio(of).toFixed(2)}x`,
      each(of, ({ direct }, step) => total(direct[step])),
    ]),
  )
  const proxied = table(
    ['through nginx', 'nodes', 'redis', 'nginx', 'in all', 'rounds'],
    chapters.map(({ name, of }) => [
      name,
      ...cells(of, [
        ({ proxied }, step) => proxied[step].nodes,
        ({ proxied }, step) => proxied[step].redis,
        ({ proxied }, step) => proxied[step].nginx,
        ({ proxied }, step) => total(proxied[step]),
      ]),
      each(of, ({ proxied }, step) => total(proxied[step])),
    ]),
  )
  return [
    'CPU microseconds of a login by process and step, beside the minimum that its parts cost alone',
    '',
    direct,
    '',
    proxied,
    '',
    `Medians of ${rounds.length} rounds of ${logins} logins; "ratio" is "in all" / "floor", round by round.`,
    `ES256 by node:crypto: a signature ${us(crypto.sign)}, a check ${us(crypto.verify)}; by jose ${us(crypto['jose sign'])} and ${us(crypto['jose verify'])}.`,
    `Two idle nodes and Redis use ${us(idle)} in the time of a login's steps; nothing is subtracted.`,
    ...auditLines(rounds),
    `${logins * rounds.length * 3} logins, and those of the warm-up: all got their tokens, and every browser was told of each step once.`,
  ].join('\n')
}
