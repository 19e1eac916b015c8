import { type Document, isMap, isScalar, parse, parseDocument, type YAMLMap } from 'yaml'
import { version } from '../version.ts'
import { readSource } from './sources.ts'

/** The image of this version, as .github/workflows/release.yml pushes it. */
export const IMAGE = { name: 'ghcr.io/saoma/saoma', tag: version }

interface Overlay {
  services: Record<string, { environment?: Record<string, string>; volumes?: string[] } | undefined>
}

const HEAD = [
  `Saoma ${version} in containers: docker compose up -d`,
  'saoma init made this file of docker-compose.yml and docker-compose.production.yml of that version, without',
  'the demo. Settings are in .env, which only its owner may read. Whoever may use Docker could read that file',
  'too, so the secrets are not in files of their own.',
  '',
  'For more or fewer nodes: docker compose up -d --scale gateway=4 (SAOMA_GATEWAYS in .env keeps it so). nginx',
  'and logins go on meanwhile. A node that ends by itself is started again. One that was ended by hand (docker',
  'kill, docker stop) stays away until the next up -d.',
]
  .map((line) => ` ${line}`)
  .join('\n')

/** Values that compose refuses to start without, with what it then says. */
const REQUIRED: Readonly<Record<string, string>> = {
  SAOMA_ORIGIN: 'set the public address in .env',
  SAOMA_SECRET: 'set it in .env',
}
/** Secrets come from .env here: what reads them from files in docker-compose.production.yml is left out. */
const IN_FILES = /^(SAOMA_SECRET|WECHAT_SECRET)(_FILE)?$/
/** Of the demo, of building, and of monitoring, whose files are in the repository. */
const LEFT_OUT = {
  services: ['shop', 'simulator', 'nginx-metrics', 'prometheus', 'grafana'],
  volumes: ['shop-data', 'prometheus-data', 'grafana-data'],
}

const mapAt = (document: Document, ...path: string[]): YAMLMap => {
  const map = document.getIn(path)
  if (!isMap(map)) throw new Error(`docker-compose.yml has no ${path.join('.')}`)
  return map
}

/** Replaces the comment above a key; without a text it removes it. */
const comment = (map: YAMLMap, name: string, text?: string): void => {
  const pair = map.items.find(({ key }) => isScalar(key) && key.value === name)
  if (!pair || !isScalar(pair.key)) throw new Error(`docker-compose.yml has no ${name}`)
  pair.key.commentBefore = text ?? null
}

/** compose.yml for production, with the comments of its sources. */
export const composeFile = (): string => {
  const document = parseDocument(readSource('docker-compose.yml'))
  const production = parse(readSource('docker-compose.production.yml')) as Overlay
  // The first paragraph is the document's comment, and the others belong to the first key.
  document.commentBefore = HEAD
  const [first] = mapAt(document).items
  if (isScalar(first?.key)) first.key.commentBefore = first.key.commentBefore?.split('\n\n').at(-1) ?? null

  for (const kind of ['services', 'volumes'] as const)
    for (const name of LEFT_OUT[kind]) document.deleteIn([kind, name])

  const settings = mapAt(document, 'x-gateway-settings')
  const { environment = {}, volumes = [] } = production.services.gateway ?? {}
  for (const [name, value] of Object.entries(environment)) if (!IN_FILES.test(name)) settings.set(name, value)
  for (const [name, why] of Object.entries(REQUIRED)) settings.set(name, `\${${name}:?${why}}`)
  comment(
    settings,
    'SAOMA_API_KEYS',
    ' Its folder is mounted: a container that mounts a single file keeps the former one when it is replaced.',
  )

  const gateway = mapAt(document, 'services', 'gateway')
  gateway.delete('build')
  gateway.set('image', `${IMAGE.name}:${IMAGE.tag}`)
  gateway.set('volumes', document.createNode(['codes-data:/codes', ...volumes], { flow: true }))
  comment(
    gateway,
    'volumes',
    ' For SAOMA_POOL_STORE=/codes: the pictures of codes made ahead. The second has the keys of backends.',
  )

  const nginx = mapAt(document, 'services', 'nginx', 'environment')
  for (const [name, value] of Object.entries(production.services.nginx?.environment ?? {})) nginx.set(name, value)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
