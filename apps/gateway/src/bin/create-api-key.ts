import { createHash, randomBytes } from 'node:crypto'
import { API_KEY_PREFIX, parseApiKeys } from '../access/api-keys.ts'

/*
 * Creates an API key, and the line of SAOMA_API_KEYS that admits it:
 *
 *   node scripts/bootstrap.mjs apps/gateway/src/bin/create-api-key.ts shop 'room:*,user:*'
 */
const [name = '', patterns = ''] = process.argv.slice(2)
const key = `${API_KEY_PREFIX}${name}_${randomBytes(32).toString('base64url')}`
const line = `${name} ${createHash('sha256').update(key).digest('hex')} ${patterns}`
const { entries, problems } = parseApiKeys(line)
if (problems.length > 0 || entries.size !== 1) {
  process.stderr.write(
    "Usage: node scripts/bootstrap.mjs apps/gateway/src/bin/create-api-key.ts <name> <pattern>[,<pattern>…], such as shop 'room:*,user:*'\n",
  )
  process.exitCode = 1
} else {
  process.stdout.write(
    `For the backend, shown once:\n  ${key}\nFor SAOMA_API_KEYS, or a line of the file it names:\n  ${line}\n`,
  )
}
