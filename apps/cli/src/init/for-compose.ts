import { randomBytes } from 'node:crypto'
import { REPOSITORY, version } from '../version.ts'
import { composeFile, IMAGE } from './compose.ts'
import { type Chosen, settingsFile } from './settings.ts'
import { readSource } from './sources.ts'
import { MARK, type NewFile, SECRET_MODE } from './write.ts'

const SECRET_BYTES = 32
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

/** The settings that an operator decides on. All others have a default that is good for most. */
const settings = (origin: string | undefined): Chosen => ({
  SAOMA_ORIGIN: origin ?? '',
  SAOMA_SECRET: newSecret(),
  SAOMA_APP_NAME: undefined,
  WECHAT_APPID: '',
  WECHAT_SECRET: '',
  WECHAT_PAGE: undefined,
  WECHAT_LINK: undefined,
  SAOMA_CODES: undefined,
  SAOMA_POOL_STORE: undefined,
  SAOMA_ALLOWED_ORIGINS: undefined,
  SAOMA_API_KEYS: './keys/api-keys',
  SAOMA_AUTH_URL: undefined,
  SAOMA_AUTH_JWKS: undefined,
  SAOMA_AUTH_ISSUER: undefined,
  SAOMA_AUTH_AUDIENCE: undefined,
  SAOMA_CHANNELS: '',
  SAOMA_HOOK_URL: undefined,
  SAOMA_HOOK_SECRET: undefined,
  SAOMA_EMPTY_REDIS: undefined,
  SAOMA_GATEWAYS: undefined,
  SAOMA_REDIS_MEMORY: undefined,
  SAOMA_BIND: undefined,
  SAOMA_PORT: undefined,
  SAOMA_REDIS_LIMIT: undefined,
  SAOMA_GATEWAY_LIMIT: undefined,
  SAOMA_NGINX_LIMIT: undefined,
  NGINX_TRUST: undefined,
  NGINX_PROXY_PROTOCOL: undefined,
  NGINX_TLS_CERT: undefined,
  NGINX_TLS_KEY: undefined,
  NGINX_REDIRECT: undefined,
})

const comments = {
  SAOMA_API_KEYS: `# The file with the keys of backends that publish, for commands on this machine. compose.yml mounts its folder,
# and nodes look at it every 2 s. It has hashes, so it is no secret. A new key:
#   saoma key create shop 'room:*,user:*' --env-file .env`,
}

const head = `# Settings of the nodes, of nginx and of compose. saoma init wrote those that one decides on, with fresh
# secrets. compose.yml passes on all settings of
# ${REPOSITORY}/blob/v${version}/.env.template
# A value with $ needs single quotes: NAME='a$b'. Without them compose takes $b for the name of a setting, or
# the $ has to be $$, which saoma --env-file takes for two.
# Never put this file into a repository. After a change: docker compose up -d`

const readme = (origin: string | undefined): string => `<!-- ${MARK} -->

# Saoma ${version} with docker compose

Made by \`saoma init\`. What to do next:

1. Fill in \`.env\`:
${origin ? '' : '   - `SAOMA_ORIGIN`: the public address, such as https://login.example.com\n'}   - \`WECHAT_APPID\` and \`WECHAT_SECRET\`: from the settings of your mini-program
2. Start it: \`docker compose up -d\`. Then \`docker compose ps\` shows nodes and nginx as healthy, and
   <http://127.0.0.1:8080> shows the login page.
3. Put TLS in front of port 8080, and name the proxy in \`NGINX_TRUST\`:
   [how](${REPOSITORY}/blob/v${version}/docs/front.md).
4. Make a key for the backend that publishes: \`saoma key create shop 'room:*,user:*' --env-file .env\`.
   Let pages of other sites embed the login: \`SAOMA_ALLOWED_ORIGINS\`.
5. When the first person has logged in, set \`SAOMA_EMPTY_REDIS=refuse\` in \`.env\`, run
   \`docker compose up -d\`, and set up
   [backups](${REPOSITORY}/blob/v${version}/docs/operate.md#backup).

| file | |
|---|---|
| \`compose.yml\` | Redis, the nodes (\`${IMAGE.name}:${IMAGE.tag}\`), nginx |
| \`.env\` | the settings, with secrets. Keep a copy in a safe place: without \`SAOMA_SECRET\` no node opens the signing keys in Redis |
| \`keys/api-keys\` | hashes of the API keys |
| \`nginx/\`, \`redis/\` | files that compose.yml mounts |

To update, read [CHANGELOG.md](${REPOSITORY}/blob/main/CHANGELOG.md). Install the new \`saoma\`, and
run \`saoma init --force\` here. It overwrites all files but \`.env\`, \`keys/api-keys\`, and a README.md or
.gitignore without the first line of ours. Then run \`docker compose up -d\`. Keep changes of your own in
\`compose.override.yml\`.
`

/** Everything that docker compose needs for production. */
export const filesForCompose = (origin: string | undefined): NewFile[] => [
  { path: 'compose.yml', text: composeFile() },
  { path: '.env', text: settingsFile(head, settings(origin), comments), mode: SECRET_MODE, keep: true },
  {
    path: 'keys/api-keys',
    text: '# API keys of backends, one a line: name, SHA-256 of the key, channels. saoma key --help\n',
    keep: true,
  },
  ...['nginx/nginx.conf.template', 'nginx/render.sh', 'nginx/run.sh', 'redis/restore.sh'].map((path) => ({
    path,
    text: readSource(path),
  })),
  { path: '.gitignore', text: `# ${MARK}\n.env\nkeys/\nbackup/\n`, marked: true },
  { path: 'README.md', text: readme(origin), marked: true },
]

export const nextForCompose = (origin: string | undefined): string[] => [
  `Fill in ${origin ? '' : 'SAOMA_ORIGIN, '}WECHAT_APPID and WECHAT_SECRET in .env.`,
  'Run: docker compose up -d',
  'README.md has the rest: TLS, keys for backends, backups.',
]
