import { parse } from 'yaml'
import { createMetrics } from '../src/operate/metrics.ts'
import { describeRendered, read, render } from './kubernetes-objects.ts'
import { fits, isRead, type Labels, lookInto, type Overlay } from './kubernetes-overlay.ts'

/** The keys that README.md gives each Secret which an operator makes. */
const secretKeys = [...read('k8s/README.md').matchAll(/^ {3}\| (`[A-Z].*?) \|/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`(\w+)`/g)].map(([, key = '']) => key),
)

describeRendered('k8s/overlays/production', () => {
  let k8s: Overlay
  beforeAll(async () => {
    k8s = lookInto(await render('production'))
  })

  test('the repository holds no secret, and the keys that README.md names are settings', () => {
    expect(k8s.all('Secret')).toEqual([])
    expect(secretKeys).toEqual(expect.arrayContaining(['SAOMA_SECRET', 'REDIS_URL', 'WECHAT_SECRET']))
    expect(secretKeys.filter((key) => !isRead(key))).toEqual([])
  })

  test('the Gateway and its routes have the host of SAOMA_ORIGIN and lead to nginx', () => {
    const settings = k8s.one('ConfigMap', 'saoma-settings')
    const { host } = new URL(settings.data?.SAOMA_ORIGIN ?? '')
    const listeners = k8s.one('Gateway', 'saoma').spec?.listeners ?? []
    expect(listeners.map(({ name, hostname }) => [name, hostname])).toEqual([
      ['https', host],
      ['http', host],
    ])
    for (const route of ['saoma', 'saoma-redirect']) {
      const { hostnames, parentRefs = [] } = k8s.one('HTTPRoute', route).spec ?? {}
      expect(hostnames).toEqual([host])
      for (const { name, sectionName } of parentRefs)
        expect([name, listeners.map(({ name }) => name)]).toEqual(['saoma', expect.arrayContaining([sectionName])])
    }
    const backend = k8s.one('HTTPRoute', 'saoma').spec?.rules?.[0]?.backendRefs?.[0]
    expect(k8s.one('Service', backend?.name ?? '').spec?.ports?.map(({ port }) => port)).toContain(backend?.port)
    expect(k8s.one('Service', 'saoma').spec?.selector).toEqual({ 'app.kubernetes.io/name': 'saoma-nginx' })
  })

  test('autoscaling needs no adapter, and scales down slowly', () => {
    for (const name of ['saoma-gateway', 'saoma-nginx']) {
      const { metrics = [], behavior } = k8s.one('HorizontalPodAutoscaler', name).spec ?? {}
      // One that is missing would let nothing scale down.
      expect(metrics.map(({ type }) => type)).toEqual(['Resource'])
      expect(behavior?.scaleDown?.stabilizationWindowSeconds).toBeGreaterThanOrEqual(300)
      expect(behavior?.scaleDown?.policies).toEqual([{ type: 'Pods', value: 1, periodSeconds: 60 }])
    }
    // Or each `kubectl apply` would set the number back.
    expect(k8s.one('StatefulSet', 'saoma-gateway').spec).not.toHaveProperty('replicas')
    expect(k8s.one('Deployment', 'saoma-nginx').spec).not.toHaveProperty('replicas')
  })

  test('a component autoscales by sockets, with the metrics that README.md gives the adapter', async () => {
    const bySockets = lookInto(await render('production-by-sockets'))
    const named = ['saoma-gateway', 'saoma-nginx'].map((name) =>
      (bySockets.one('HorizontalPodAutoscaler', name).spec?.metrics ?? []).flatMap(
        ({ pods }) => pods?.metric.name ?? [],
      ),
    )
    expect(named).toEqual([['saoma_connections'], ['saoma_nginx_connections_active']])
    expect(createMetrics().registry.getSingleMetric('saoma_connections')).toBeDefined()
    expect(read('k8s/README.md')).toContain('name: { as: saoma_nginx_connections_active }')
  })

  test('each nginx has its metrics beside it, scraped under their name', () => {
    const nginx = k8s.template(k8s.one('Deployment', 'saoma-nginx'))
    expect(nginx.spec?.containers.map(({ name }) => name).sort()).toEqual(['metrics', 'nginx'])
    const [beside] = (nginx.spec?.containers ?? []).filter(({ name }) => name === 'metrics')
    expect(beside?.image).toContain('registry.example.com/saoma')
    const { podMetricsEndpoints = [] } = k8s.one('PodMonitor', 'saoma-nginx').spec ?? {}
    expect(beside?.ports?.map(({ name }) => name)).toContain(podMetricsEndpoints[0]?.port)
    expect(k8s.environmentOf(nginx).NGINX_METRICS).toBe('127.0.0.1:9514')
  })

  test('Prometheus scrapes every node once, under the job of the alerts, and has the alerts', () => {
    const { selector, endpoints = [] } = k8s.one('ServiceMonitor', 'saoma-nodes').spec ?? {}
    const scraped = k8s.all('Service').filter(({ metadata }) => fits(metadata.labels, selector?.matchLabels as Labels))
    expect(scraped.map(({ metadata }) => metadata.name)).toEqual(['saoma-nodes'])
    expect(scraped[0]?.spec?.ports?.map(({ name }) => name)).toContain(endpoints[0]?.port)
    const text = read('monitoring/alerts.yml')
    const jobs = [...text.matchAll(/job=~"([^"]*)"/g)].map(([, pattern = '']) => new RegExp(`^(?:${pattern})$`))
    expect(jobs.length).toBeGreaterThan(0)
    for (const job of jobs) expect('saoma-nodes').toMatch(job)
    // When they differ: node scripts/bootstrap.mjs scripts/alert-object.ts
    expect(k8s.one('PrometheusRule', 'saoma').spec).toEqual(parse(text))
  })
})
