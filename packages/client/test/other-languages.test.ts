import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { documented, onCleanup, phoneToken, plainEnv, startCluster, webToken } from '@saoma/testing'
import { openSigner, signerEnv } from './signer.ts'

/* The verification in docs/login.md, for backends that are not Node. */

/** The example of docs/login.md in that language which verifies a token. */
const example = (language: string): string => {
  const [block, ...more] = documented('docs/login.md', 'In other languages').filter((one) => one.language === language)
  if (!block || more.length > 0) throw new Error(`docs/login.md has not one example in ${language}`)
  return block.code
}

test.each(['python', 'php', 'java'])('the example in %s checks what has to be checked', (language) => {
  const text = example(language)
  for (const part of ['/oidc/jwks', 'ES256', '/oidc"', 'at+jwt', 'aud'])
    expect(text.replaceAll("'", '"')).toContain(part)
})

/** Another Python may come first on the PATH than that of the system, which has Debian's packages. */
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import jwt, cryptography'], { stdio: 'ignore' }).status === 0,
)
const withPyJwt = python ? test : test.skip

/** Asks the example about each token, and writes what it gave or the name of its exception. */
const ASKING = `
import json, sys
import jwt
from backend import who_is

def ask(token):
    try:
        return who_is(token)
    except jwt.PyJWTError as error:
        return type(error).__name__

print(json.dumps([ask(token) for token in json.loads(sys.argv[1])]))
`

withPyJwt('the example in Python verifies (skipped without python3 and its packages pyjwt, cryptography)', async () => {
  const cluster = await startCluster({ nodes: 1, env: signerEnv })
  const person = await webToken(cluster.origin, 'Ada')
  const signer = await openSigner(cluster)
  const folder = await mkdtemp(join(tmpdir(), 'saoma-python-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'backend.py'), example('python'))
  await writeFile(join(folder, 'asking.py'), ASKING)

  const now = Math.floor(Date.now() / 1_000)
  const expected: [token: string, answer: unknown][] = [
    [person.access_token, { user: person.user, session: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) }],
    ['garbage', 'DecodeError'],
    [`${person.access_token.slice(0, -8)}AAAAAAAA`, 'InvalidSignatureError'],
    [person.id_token ?? '', 'InvalidTokenError'],
    [await phoneToken(cluster.origin, 'Ada'), 'InvalidAudienceError'],
    [await signer.sign({ exp: now - 60 }), 'ExpiredSignatureError'],
    [await signer.sign({ iss: 'https://other.example/oidc' }), 'InvalidIssuerError'],
    [await signer.sign({ exp: undefined }), 'MissingRequiredClaimError'],
    [await signer.sign({}, { kid: 'unknown' }), 'PyJWKClientError'],
  ]
  const args = [join(folder, 'asking.py'), JSON.stringify(expected.map(([token]) => token))]
  const env = { ...plainEnv(), SAOMA_ORIGIN: cluster.origin, PYTHONDONTWRITEBYTECODE: '1' }
  const { stdout } = await promisify(execFile)(python ?? '', args, { cwd: folder, env })
  expect(JSON.parse(stdout)).toEqual(expected.map(([, answer]) => answer))
})
