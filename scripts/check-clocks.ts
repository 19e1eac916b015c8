/*
 * The system clock can be set, and it jumps when a virtual machine wakes. A timeout that is measured with it
 * may end at once, or never. Measure durations with performance.now(). Use Date.now() for moments that others
 * know too (the expiry of a token, the time of a message), and for values that outlive the process. This
 * script lists the files that need it, with the reasons.
 *
 *   node scripts/check-clocks.ts [--root <folder>]
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readWorkspaces } from './workspaces.ts'

const MOMENTS: Readonly<Record<string, string>> = {
  'apps/gateway/src/admin/logins.ts': 'compared with the times of entries',
  'apps/gateway/src/bin/pool-commands.ts': 'the age of a code',
  'apps/gateway/src/config/login-template.ts': 'the time in a message of WeChat',
  'apps/gateway/src/doctor/diagnose.ts': 'the moment in a proof, which a node compares',
  'apps/gateway/src/doctor/origin.ts': 'the end of a certificate, and the clock of a server',
  'apps/gateway/src/doctor/certificates.ts': 'the end of a certificate',
  'apps/gateway/src/doctor/clocks.ts': 'the clock that is compared',
  'apps/gateway/src/live/http/lifetime.ts': 'the end of a token',
  'apps/gateway/src/live/http/messages.ts': 'the end of a token',
  'apps/gateway/src/live/live-connection.ts': 'the end of a token',
  'apps/gateway/src/live/live-connections.ts': 'the end of a token',
  'apps/gateway/src/access/authenticate.ts': 'the expiry of an API key',
  'apps/gateway/src/access/held-table.ts': 'the expiry of API keys and of marks in Redis',
  'apps/gateway/src/access/listed-entry.ts': 'the end of a secret',
  'apps/gateway/src/access/listed-key.ts': 'the expiry of an API key',
  'apps/gateway/src/access/stored-entry.ts': 'the end of a secret',
  'apps/gateway/src/access/table-store.ts': 'times of API keys and applications in Redis',
  'apps/gateway/src/access/uses.ts': 'times of uses in Redis',
  'apps/gateway/src/access/secret-ring.ts': 'the end of a secret',
  'apps/gateway/src/admin/delete-person.ts': 'the age of entries of the audit',
  'apps/gateway/src/admin/key-requests.ts': 'the expiry of an API key',
  'apps/gateway/src/bin/client.ts': 'the end of a secret, as it is printed',
  'apps/gateway/src/bin/key.ts': 'the end of a secret, as it is printed',
  'apps/gateway/src/bin/stored-key-commands.ts': 'the expiry of an API key',
  'apps/gateway/src/access/business-keys.ts': 'compared with the moment at which a token was issued',
  'apps/gateway/src/access/phone-issuers.ts': 'the end of a token',
  'apps/gateway/src/access/signed-tokens.ts': 'the end of a token',
  'apps/gateway/src/access/token-introspection.ts': 'the end of a token',
  'apps/gateway/src/login/identify-app.ts': 'the end of a token, after which it is forgotten',
  'apps/gateway/src/transport/http/diagnosis.ts': 'the moment in a proof, and the clock of the node',
  'apps/shop/src/jobs.ts': 'rows of a database',
  'apps/shop/src/notice-routes.ts': 'rows of a database',
  'apps/shop/src/orders.ts': 'rows of a database',
  'apps/shop/src/outbox.ts': 'rows of a database',
  'apps/shop/src/signature.ts': 'the time in a signature',
  'packages/client/src/core/clock.ts': 'where there is no other clock',
  'packages/client/src/core/dpop.ts': 'the moment in a proof',
  'packages/client/src/element/card.ts': 'the end of a code, which outlives a reload',
  'packages/client/src/session/farewells.ts': 'kept for the next page',
  'packages/client/src/login/code-login.ts': 'the end of an id token',
  'packages/client/src/login/login.ts': 'the end of a code, which outlives a reload',
  'packages/client/src/core/request.ts': 'a date in Retry-After',
  'packages/client/src/session/session.ts': 'the end of a token, which outlives a reload',
  'packages/client/src/live/shared.ts': 'which of two tabs leads later',
  'packages/client/src/server/verifier.ts': 'the moment in a proof',
  'packages/client/src/wx/web-socket.ts': 'a clock that goes on while WeChat sleeps',
  'packages/identity/src/client-secrets.ts': 'the end of a secret',
  'packages/identity/src/device-codes.ts': 'times of tokens',
  'packages/identity/src/grants.ts': 'times of tokens',
  'packages/identity/src/key-proof.ts': 'the moment in a proof',
  'packages/identity/src/known-browsers.ts': 'times of logins in Redis',
  'packages/identity/src/sessions.ts': 'times of sessions in Redis',
  'packages/identity/src/signing-keys.ts': 'times of keys in Redis',
  'packages/identity/src/verify.ts': 'the end of a token',
  'packages/redis/src/membership.ts': 'the clock of a node, for those who compare clocks',
  'packages/wechat/src/per-minute-counter.ts': 'the minute of WeChat’s quota',
  'packages/wechat/src/pool/audit.ts': 'the age of a picture',
  'packages/wechat/src/pool/picture-key.ts': 'the moment in a key',
  'packages/wechat/src/wechat.ts': 'the end of a link, which WeChat is told',
}

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const { root } = values

const usesDate = (file: string): boolean => /\bDate\.now\b|\bnew Date\(\)/.test(readFileSync(join(root, file), 'utf8'))
const isProduct = (file: string): boolean =>
  /^(apps|packages)\/[^/]+\/src\//.test(file) &&
  !/^(apps\/(docs|loadtest|local|miniprogram|web|wechat-simulator)|packages\/testing)\//.test(file)

const using = readWorkspaces(root)
  .flatMap(({ files }) => files)
  .filter((file) => isProduct(file) && usesDate(file))
const wrong = [
  ...using
    .filter((file) => !(file in MOMENTS))
    .map((file) => `${file} reads the system's clock: for a duration take performance.now()`),
  ...Object.keys(MOMENTS)
    .filter((file) => !using.includes(file))
    .map((file) => `${file} reads the system's clock no more: take it off the list`),
]
for (const line of wrong) console.error(line)
if (wrong.length === 0) console.log('Clocks: no duration is measured with the system clock.')
process.exitCode = wrong.length === 0 ? 0 : 1
