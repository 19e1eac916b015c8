/** Words that completion offers at one place of a command line. */
export interface Words {
  /** Options. A value follows where the name ends with `=`. */
  options?: readonly string[]
  /** Words that may stand there, in any number. */
  values?: readonly string[]
  /** Words after which others follow. */
  commands?: Readonly<Record<string, Words>>
}

/** A program of this project that a command becomes. It reads its arguments itself, also `--help`. */
export interface Program {
  name: string
  /** Shown in the list of commands. */
  summary: string
  /** Below the root, without extension. */
  path: string
  words: Words
}

const ENV_FILE = '--env-file='
const AUDIT_FILTERS = ['--kind=', '--person=', '--ticket=', '--sid=', '--network=', '--from=', '--to=']

export const programs: readonly Program[] = [
  {
    name: 'start',
    summary: 'a whole cluster on this machine (port 8080), to try it and to develop with it',
    path: 'apps/local/src/main',
    words: { options: ['--nodes=', '--port=', '--lan', '--wechat', '--help'] },
  },
  {
    name: 'phone',
    summary: 'a person with a phone, for the cluster of start --wechat',
    path: 'apps/local/src/phone',
    words: { options: ['--name=', '--check=', '--decline', '--help'] },
  },
  {
    name: 'key',
    summary: 'API keys of backends: create, list, rotate, revoke',
    path: 'apps/gateway/src/bin/key',
    words: {
      options: ['--help'],
      commands: {
        create: {
          options: ['--redis', '--scope=', '--may=', '--expires=', '--file=', ENV_FILE, '--json', '--help'],
        },
        list: { options: ['--redis', '--file=', ENV_FILE, '--json', '--help'] },
        rotate: { options: ['--overlap=', ENV_FILE, '--json', '--help'] },
        revoke: { options: ['--redis', '--file=', ENV_FILE, '--help'] },
      },
    },
  },
  {
    name: 'client',
    summary: 'applications that log people in through Saoma: add, list, rotate, remove',
    path: 'apps/gateway/src/bin/client',
    words: {
      options: ['--help'],
      commands: {
        add: {
          options: [
            ...[
              '--name=',
              '--redirect=',
              '--device',
              '--push',
              '--notify=',
              '--logout=',
              '--backchannel-logout=',
              '--logo=',
              '--public',
              '--first-party',
              '--refresh',
            ],
            ...['--scope=', '--network=', '--verify=', '--alg=', '--redis', '--file=', ENV_FILE, '--json', '--help'],
          ],
        },
        list: { options: ['--redis', '--file=', ENV_FILE, '--json', '--help'] },
        remove: { options: ['--redis', '--file=', ENV_FILE, '--help'] },
        rotate: { options: ['--redis', '--overlap=', ENV_FILE, '--json', '--help'] },
      },
    },
  },
  {
    name: 'sessions',
    summary: 'ends the sessions of a person',
    path: 'apps/gateway/src/bin/sessions',
    words: {
      options: ['--help'],
      commands: { end: { options: ['--sid=', '--keep=', '--reason=', ENV_FILE, '--help'] } },
    },
  },
  {
    name: 'pool',
    summary: 'the pool of WeChat codes: fill, list, check, retire, adopt',
    path: 'apps/gateway/src/bin/pool',
    words: {
      options: [ENV_FILE, '--help'],
      commands: {
        fill: { options: [ENV_FILE] },
        list: { options: [ENV_FILE] },
        check: { options: ['--repair', ENV_FILE] },
        retire: { options: ['--all', ENV_FILE] },
        adopt: { options: [ENV_FILE] },
      },
    },
  },
  {
    name: 'accounts',
    summary: 'people: import, show, export, disable, enable, delete',
    path: 'apps/gateway/src/bin/accounts',
    words: {
      options: ['--help'],
      commands: {
        import: { options: ['--after=', ENV_FILE, '--help'] },
        show: { options: [ENV_FILE, '--help'] },
        export: { options: [ENV_FILE, '--help'] },
        disable: { options: ['--reason=', ENV_FILE, '--help'] },
        enable: { options: [ENV_FILE, '--help'] },
        delete: { options: ['--yes', ENV_FILE, '--help'] },
      },
    },
  },
  {
    name: 'audit',
    summary: 'what happened: tail, export',
    path: 'apps/gateway/src/bin/audit',
    words: {
      options: ['--help'],
      commands: {
        tail: { options: [...AUDIT_FILTERS, '--lines=', '--json', ENV_FILE, '--help'] },
        export: { options: [...AUDIT_FILTERS, ENV_FILE, '--help'] },
      },
    },
  },
  {
    name: 'load',
    summary: 'load on a cluster, with books on every message',
    path: 'apps/loadtest/src/load/main',
    words: {
      options: [
        ...['--logins=', '--phones=', '--browsers=', '--people=', '--messages=', '--subscribers=', '--broadcasts='],
        ...['--ramp=', '--duration=', '--workers=', '--patience=', '--url=', '--nodes=', '--env=', '--redis='],
        ...['--logs=', '--api-key=', '--room=', '--phone-token-file=', '--token-file=', '--coordinator=', '--run='],
        ...['--machines=', '--faults=', '--down=', '--calm=', '--seed=', '--expect=', '--json=', '--html=', '--help'],
      ],
      values: ['login', 'idle', 'inbox', 'fanout', 'storm', 'chaos'],
    },
  },
  {
    name: 'doctor',
    summary: 'looks for what is wrong with settings, Redis, WeChat and the public address',
    path: 'apps/gateway/src/bin/doctor',
    words: { options: ['--json', '--only=', '--timeout=', ENV_FILE, '--origin=', '--help'] },
  },
]
