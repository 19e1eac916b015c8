import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'
import { readConfig } from '../src/config/config.ts'
import { describeRendered, read, render } from './kubernetes-objects.ts'
import { fits, isRead, type Labels, lookInto, type Overlay } from './kubernetes-overlay.ts'

/**
 * Megabytes that are left for logins in a Redis whose channels are at their share: see docs/operate.md for
 * the numbers.
 */
const CODE_KILOBYTES = 1.5
const CODE_MINUTES = 7
const MESSAGES_A_SECOND = 25
const roomOf = (megabytes: number, { channelsMemoryShare, limits }: ReturnType<typeof readConfig>): number =>
  megabytes * (1 - channelsMemoryShare) -
  (limits.codesInCluster * CODE_MINUTES * CODE_KILOBYTES) / 1_000 -
  MESSAGES_A_SECOND

test('the Redis of docker compose has room for all codes and a second of messages', () => {
  const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8')
  const [, gigabytes] = /SAOMA_REDIS_MEMORY:-(\d+)gb/.exec(compose) ?? []
  const demo = { SAOMA_ORIGIN: 'http://127.0.0.1:8080', SAOMA_SECRET: 'x'.repeat(32), SAOMA_DEMO: 'true' }
  expect(roomOf(1_000 * Number(gigabytes), readConfig(demo))).toBeGreaterThan(0)
})

describeRendered.each(['local', 'production'] as const)('k8s/overlays/%s', (overlay) => {
  let k8s: Overlay
  beforeAll(async () => {
    k8s = lookInto(await render(overlay))
  })

  const gatewayEnvironment = (): Record<string, string> => ({
    // Of the image, and of the Secret that README.md asks for.
    NODE_ENV: 'production',
    ...(overlay === 'production'
      ? {
          SAOMA_SECRET: 'x'.repeat(32),
          REDIS_URL: 'rediss://u:p@redis.example.com:6379',
          WECHAT_APPID: 'wx',
          WECHAT_SECRET: 's',
        }
      : {}),
    ...k8s.environmentOf(k8s.template(k8s.gateway().nodes)),
  })

  test('a node reads every setting it is given and starts with them', () => {
    const env = gatewayEnvironment()
    expect(Object.keys(env).filter((name) => !isRead(name))).toEqual([])
    const config = readConfig(env)
    expect(config.nodeId).toBe('3')
    const { container } = k8s.gateway()
    expect((container.ports ?? []).map(({ containerPort }) => containerPort)).toEqual([
      config.port,
      config.internalPort,
    ])
    expect(config.demo).toBe(overlay === 'local')
  })

  test('its Redis has room for all codes and a second of messages beside the channels', () => {
    const redis = k8s.workloads().find(({ metadata }) => metadata.name === 'saoma-redis')
    if (!redis) return expect(overlay).toBe('production')
    const { args = [] } = k8s.template(redis).spec?.containers[0] ?? {}
    const megabytes = /^(\d+)mb$/.exec(args[args.indexOf('--maxmemory') + 1] ?? '')?.[1]
    expect(roomOf(Number(megabytes), readConfig(gatewayEnvironment()))).toBeGreaterThan(0)
  })

  test('every selector and every name finds what it selects', () => {
    for (const workload of k8s.workloads()) {
      const { metadata, spec } = k8s.template(workload)
      const labels = metadata?.labels as Labels
      expect(fits(labels, workload.spec?.selector.matchLabels as Labels)).toBe(true)
      // Otherwise it is not shut in by the policy that lets nobody in.
      expect(labels).toMatchObject({ 'app.kubernetes.io/part-of': 'saoma' })
      for (const { labelSelector } of spec?.topologySpreadConstraints ?? [])
        expect(fits(labels, labelSelector?.matchLabels as Labels)).toBe(true)
      const probes = (spec?.containers ?? []).flatMap((container) => [
        container.startupProbe,
        container.readinessProbe,
        container.livenessProbe,
      ])
      for (const probe of probes)
        if (probe?.httpGet) expect(k8s.portsOf(k8s.template(workload))).toContain(probe.httpGet.port)
    }
    for (const { metadata, spec } of k8s.all('Service')) {
      const pods = k8s.podsOf(spec?.selector as Labels)
      expect([metadata.name, pods.length]).toEqual([metadata.name, 1])
      for (const { targetPort } of spec?.ports ?? [])
        for (const pod of pods) expect(k8s.portsOf(pod)).toContain(targetPort)
    }
    for (const { spec } of k8s.all('PodDisruptionBudget'))
      expect(k8s.podsOf(spec?.selector?.matchLabels as Labels)).toHaveLength(1)
    for (const { spec } of k8s.all('HorizontalPodAutoscaler'))
      expect(k8s.objects).toContainEqual(
        expect.objectContaining({
          kind: spec?.scaleTargetRef.kind,
          metadata: expect.objectContaining({ name: spec?.scaleTargetRef.name }),
        }),
      )
    for (const { spec } of k8s.all('StatefulSet')) {
      const names = k8s.one('Service', spec?.serviceName ?? '')
      expect(names.spec?.clusterIP).toBe('None')
      expect(k8s.podsOf(names.spec?.selector as Labels)).toHaveLength(1)
    }
  })

  test('network policies name pods and ports that exist', () => {
    for (const { metadata, spec } of k8s.all('NetworkPolicy')) {
      const pods = k8s.podsOf(spec?.podSelector?.matchLabels as Labels)
      expect([metadata.name, pods.length > 0]).toEqual([metadata.name, true])
      const rules = [
        ...(spec?.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports, servers: pods })),
        ...(spec?.egress ?? []).map(({ to = [], ports = [] }) => ({
          peers: to,
          ports,
          servers: to.flatMap(({ podSelector }) => (podSelector ? k8s.podsOf(podSelector.matchLabels as Labels) : [])),
        })),
      ]
      for (const { peers, ports, servers } of rules) {
        for (const { podSelector } of peers)
          if (podSelector) expect(k8s.podsOf(podSelector.matchLabels as Labels).length).toBeGreaterThan(0)
        for (const { port } of ports)
          if (typeof port === 'string') for (const pod of servers) expect(k8s.portsOf(pod)).toContain(port)
      }
    }
    // Who may talk to whom, in all: the nodes are asked by nginx and, where there is monitoring, by
    // Prometheus; Redis by the nodes.
    const askers = (name: string) =>
      k8s
        .all('NetworkPolicy')
        .filter(({ spec }) => fits(spec?.podSelector?.matchLabels as Labels, { 'app.kubernetes.io/name': name }))
        .flatMap(({ spec }) => spec?.ingress ?? [])
        .flatMap(({ from = [], ports = [] }) =>
          from.map((peer) => [
            Object.values({ ...peer.podSelector?.matchLabels, ...peer.namespaceSelector?.matchLabels }),
            ports[0]?.port,
          ]),
        )
    const monitoring = overlay === 'production' ? [[['monitoring'], 'internal']] : []
    expect(askers('saoma-gateway')).toEqual(expect.arrayContaining([[['saoma-nginx'], 'http'], ...monitoring]))
    expect(askers('saoma-gateway')).toHaveLength(1 + monitoring.length)
    if (overlay === 'local') expect(askers('saoma-redis')).toEqual([[['saoma-gateway'], 'redis']])
    const nobody = k8s.one('NetworkPolicy', 'saoma-nobody').spec
    expect([nobody?.podSelector?.matchLabels, nobody?.policyTypes, nobody?.ingress, nobody?.egress]).toEqual([
      { 'app.kubernetes.io/part-of': 'saoma' },
      ['Ingress', 'Egress'],
      undefined,
      undefined,
    ])
  })

  test('ConfigMaps and Secrets of pods exist, or README.md says how to make them', () => {
    const made = [...read('k8s/README.md').matchAll(/create secret (?:generic|tls) (\S+)/g)].map(([, name]) => name)
    const there = k8s.objects
      .filter(({ kind }) => kind === 'ConfigMap' || kind === 'Secret')
      .map(({ metadata }) => metadata.name)
    const wanted = k8s.workloads().flatMap((workload) => {
      const { containers = [], volumes = [] } = k8s.template(workload).spec ?? {}
      const sources = containers.flatMap(({ envFrom = [] }) =>
        envFrom.flatMap(({ configMapRef, secretRef }) => configMapRef?.name ?? secretRef?.name ?? []),
      )
      return [...sources, ...volumes.flatMap(({ configMap, secret }) => configMap?.name ?? secret?.secretName ?? [])]
    })
    const tls = k8s
      .all('Gateway')
      .flatMap(({ spec }) =>
        (spec?.listeners ?? []).flatMap(({ tls }) => (tls?.certificateRefs ?? []).map(({ name }) => name)),
      )
    expect(wanted.length).toBeGreaterThan(3)
    expect([...wanted, ...tls].filter((name) => !there.includes(name) && !made.includes(name))).toEqual([])
  })

  test('a node has the time to leave', () => {
    const { pod, container, nodes } = k8s.gateway()
    const sleepMs = (container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000
    const graceMs = (pod?.terminationGracePeriodSeconds ?? 0) * 1000
    expect(sleepMs).toBeGreaterThanOrEqual(5_000)
    const { drain } = readConfig(gatewayEnvironment())
    // What comes after the window: idle connections are waited for, and last answers.
    expect(drain.deadlineMs).toBeGreaterThanOrEqual(drain.windowMs + 10_000)
    expect(graceMs).toBeGreaterThan(sleepMs + drain.deadlineMs)
    expect(nodes.spec).toMatchObject({ podManagementPolicy: 'Parallel', updateStrategy: { type: 'RollingUpdate' } })
    // Its own name leads to it until the end.
    expect(k8s.one('Service', 'saoma-nodes').spec?.publishNotReadyAddresses).toBe(true)
    const nginx = k8s.template(k8s.one('Deployment', 'saoma-nginx')).spec
    const shutdown = Number(/worker_shutdown_timeout (\d+)s/.exec(read('nginx/nginx.conf.template'))?.[1])
    const slept = nginx?.containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0
    expect(nginx?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(slept + shutdown + 10)
  })

  test('the probes ask addresses that a node answers', () => {
    const { container } = k8s.gateway()
    const answered = [...read('apps/gateway/src/operate/operator-server.ts').matchAll(/case '(\/\w+)'/g)].map(
      ([, path]) => path,
    )
    const { startupProbe, readinessProbe, livenessProbe } = container
    // One would end a node that waits for Redis.
    expect(startupProbe).toBeUndefined()
    const asked = [readinessProbe, livenessProbe].map((probe) => probe?.httpGet)
    expect(asked).toEqual([
      { path: '/readyz', port: 'internal' },
      { path: '/healthz', port: 'internal' },
    ])
    for (const probe of asked) expect(answered).toContain(probe?.path)
    expect(k8s.one('Service', 'saoma-gateway').spec?.ports?.map(({ targetPort }) => targetPort)).toEqual(['http'])
  })

  test('the heap has three quarters of the memory', () => {
    const { container } = k8s.gateway()
    const heap = Number(/--max-old-space-size=(\d+)/.exec(gatewayEnvironment().NODE_OPTIONS ?? '')?.[1])
    const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(String(container.resources?.limits?.memory)) ?? []
    expect(heap / (Number(amount) * (unit === 'Gi' ? 1024 : 1))).toBeCloseTo(0.75, 1)
  })

  test('no container has more rights than it needs', () => {
    for (const workload of k8s.workloads()) {
      const pod = k8s.template(workload).spec
      expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
      expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      expect(pod?.securityContext?.runAsUser).toBeGreaterThan(0)
      for (const { name, securityContext, resources } of pod?.containers ?? []) {
        expect([name, securityContext]).toEqual([
          name,
          { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        ])
        expect(resources).toMatchObject({
          requests: { cpu: expect.anything(), memory: expect.anything() },
          limits: { memory: expect.anything() },
        })
      }
    }
  })

  test('nginx takes its settings, and finds the nodes by their names', async () => {
    const nginx = k8s.template(k8s.one('Deployment', 'saoma-nginx'))
    const env = k8s.environmentOf(nginx)
    const documented = [...(read('nginx/render.sh') + read('nginx/run.sh')).matchAll(/^# {3}([A-Z_]+) /gm)].map(
      ([, name]) => name,
    )
    expect(Object.keys(env).filter((name) => !documented.includes(name))).toEqual([])

    // What is mounted, and what a kubelet writes into a pod of that namespace.
    const dir = await mkdtemp(join(tmpdir(), 'saoma-nginx-'))
    onCleanup(() => rm(dir, { recursive: true }))
    const search = 'saoma.svc.cluster.local svc.cluster.local cluster.local'
    const files = {
      ...k8s.one('ConfigMap', 'saoma-nginx').data,
      'resolv.conf': `search ${search}\nnameserver 10.96.0.10\noptions ndots:5\n`,
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
    const { stdout } = await promisify(execFile)('/bin/sh', [join(dir, 'render.sh')], {
      env: { PATH: process.env.PATH, ...env, NGINX_RESOLVER: join(dir, 'resolv.conf') },
      timeout: 5_000,
    })
    const { nodes } = k8s.gateway()
    const names = k8s.one('Service', nodes.spec?.serviceName ?? '')
    const port = names.spec?.ports?.find(({ name }) => name === 'http')?.port
    const service = k8s.one('Service', 'saoma-gateway')
    expect(stdout).toContain(
      `"${nodes.metadata.name}-$saoma_node.${names.metadata.name}.saoma.svc.cluster.local:${port}";`,
    )
    expect(stdout).toContain(`server ${service.metadata.name}:${service.spec?.ports?.[0]?.port} `)
    expect(stdout).toContain(`listen 0.0.0.0:${nginx.spec?.containers[0]?.ports?.[0]?.containerPort} `)
  })
})
