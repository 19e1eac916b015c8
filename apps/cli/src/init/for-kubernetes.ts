import { parse, stringify } from 'yaml'
import { REPOSITORY, version } from '../version.ts'
import { IMAGE } from './compose.ts'
import { newSecret } from './for-compose.ts'
import { settingsFile } from './settings.ts'
import { readSource } from './sources.ts'
import { MARK, type NewFile, SECRET_MODE } from './write.ts'

const OVERLAY = 'k8s/overlays/production'
/** Objects and patches of that overlay that are about the cluster they run in. */
const ADAPTED = ['redis-network.yaml', 'front-network.yaml', 'egress.yaml', 'trust-front.yaml']

/** What of that overlay's kustomization has to be said again in one that builds on it. */
interface Overlay {
  namespace: string
  images: { newName: string }[]
  patches: { target?: object; patch?: string }[]
  replacements: unknown[]
}

const kustomization = (): string => {
  const { namespace, images, patches, replacements } = parse(readSource(`${OVERLAY}/kustomization.yaml`)) as Overlay
  const { newName } = images[0] ?? { newName: 'saoma' }
  const overlay = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace,
    resources: [`${REPOSITORY}//${OVERLAY}?ref=v${version}`],
    images: [{ name: newName, newName: IMAGE.name, newTag: IMAGE.tag }],
    configMapGenerator: [{ name: 'saoma-settings', behavior: 'merge', envs: ['settings.env'] }],
    secretGenerator: [
      { name: 'saoma-secrets', envs: ['secrets.env'] },
      // Nodes read it again by themselves, so a new key needs no rollout.
      { name: 'saoma-api-keys', files: ['api-keys'], options: { disableNameSuffixHash: true } },
    ],
    patches: [...ADAPTED.map((path) => ({ path })), ...patches.filter(({ patch }) => patch !== undefined)],
    // They follow SAOMA_ORIGIN, which settings.env sets anew here.
    replacements,
  }
  return `# Saoma ${version} on Kubernetes. saoma init made this overlay of ${OVERLAY} of that version, which it
# builds on. README.md says what to adapt. For another version change ref and newTag together.
${stringify(overlay, { lineWidth: 0 })}`
}

const settings = (origin: string | undefined): string =>
  `# Every setting is explained in ${REPOSITORY}/blob/v${version}/.env.template
# Secrets are in secrets.env. A change leads to a rollout.
${readSource(`${OVERLAY}/settings.env`)
  .split('\n')
  .filter((line) => !line.startsWith('# '))
  .join('\n')
  .replace(/^SAOMA_ORIGIN=.*$/m, `SAOMA_ORIGIN=${origin ?? ''}`)
  .replace(/^#SAOMA_API_KEYS=/m, 'SAOMA_API_KEYS=')}`

const secrets = (): string =>
  settingsFile(`# The Secret saoma-secrets. Never put this file into a repository, unless you encrypt it.`, {
    SAOMA_SECRET: newSecret(),
    WECHAT_APPID: '',
    WECHAT_SECRET: '',
    REDIS_URL: '',
  })

const readme = (origin: string | undefined): string => `<!-- ${MARK} -->

# Saoma ${version} on Kubernetes

Made by \`saoma init --k8s\`: a kustomize overlay on
[${OVERLAY}](${REPOSITORY}/tree/v${version}/${OVERLAY}).
What to do next:

1. Fill in:
${origin ? '' : '   - `SAOMA_ORIGIN` in `settings.env`: the public address, such as https://login.example.com\n'}   - \`REDIS_URL\`, \`WECHAT_APPID\` and \`WECHAT_SECRET\` in \`secrets.env\`
2. Adapt to your cluster:
   - \`kustomization.yaml\`: \`gatewayClassName\`
   - \`redis-network.yaml\`: where Redis is
   - \`front-network.yaml\`, \`trust-front.yaml\`: where the proxies of the Gateway run, and their addresses
   - \`egress.yaml\`: where nodes may connect to besides
3. Make the certificate's Secret, or let cert-manager make it:
   \`kubectl -n saoma create secret tls saoma-tls --cert=tls.crt --key=tls.key\`. The namespace comes first:
   \`kubectl create namespace saoma\`.
4. Look, then apply: \`kubectl diff -k .\`, \`kubectl apply -k .\`. kustomize fetches the overlay with git.
   The cluster needs a Gateway API implementation, metrics-server and prometheus-operator:
   [what if not](${REPOSITORY}/blob/v${version}/k8s/README.md#production).
5. Make a key for the backend that publishes: \`saoma key create shop 'room:*,user:*' --file api-keys\`, and
   apply again. When the first person has logged in, add \`SAOMA_EMPTY_REDIS=refuse\` to \`settings.env\`.

\`secrets.env\` and \`api-keys\` are in \`.gitignore\`. With Argo CD or Flux encrypt them (SOPS, Sealed Secrets),
or make the Secrets by hand and take \`secretGenerator\` out of \`kustomization.yaml\`.

To update, read [CHANGELOG.md](${REPOSITORY}/blob/main/CHANGELOG.md). Then change \`ref\` and
\`newTag\` in \`kustomization.yaml\`, and apply.
`

/** A kustomize overlay on the one for production, with the files that an operator adapts. */
export const filesForKubernetes = (origin: string | undefined): NewFile[] => [
  { path: 'kustomization.yaml', text: kustomization() },
  { path: 'settings.env', text: settings(origin), keep: true },
  { path: 'secrets.env', text: secrets(), mode: SECRET_MODE, keep: true },
  {
    path: 'api-keys',
    text: '# API keys of backends, one a line: name, SHA-256 of the key, channels. saoma key --help\n',
    mode: SECRET_MODE,
    keep: true,
  },
  ...ADAPTED.map((path) => ({ path, text: readSource(`${OVERLAY}/${path}`), keep: true })),
  { path: '.gitignore', text: `# ${MARK}\nsecrets.env\napi-keys\n`, marked: true },
  { path: 'README.md', text: readme(origin), marked: true },
]

export const nextForKubernetes = (origin: string | undefined): string[] => [
  `Fill in ${origin ? '' : 'SAOMA_ORIGIN in settings.env, and '}REDIS_URL, WECHAT_APPID and WECHAT_SECRET in secrets.env.`,
  'Adapt the four .yaml files and gatewayClassName, as README.md says.',
  'Run: kubectl apply -k .',
]
