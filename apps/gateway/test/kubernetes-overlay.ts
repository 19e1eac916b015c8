import type { IGateway } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/Gateway'
import type { IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute'
import type { IPodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor'
import type { IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import type { IServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec'
import type { ISecret } from 'kubernetes-models/v1/Secret'
import type { IService } from 'kubernetes-models/v1/Service'
import { Environment } from '../src/config/environment.ts'
import type { Thing } from './kubernetes-objects.ts'

/** The kinds that are looked into. */
export interface Kinds {
  StatefulSet: IStatefulSet
  /** Alike, as far as it is read here. */
  Deployment: IStatefulSet
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler
  NetworkPolicy: INetworkPolicy
  PodDisruptionBudget: IPodDisruptionBudget
  ConfigMap: IConfigMap
  Secret: ISecret
  Service: IService
  Gateway: IGateway
  HTTPRoute: IHTTPRoute
  PrometheusRule: IPrometheusRule
  ServiceMonitor: IServiceMonitor
  PodMonitor: IPodMonitor
}
export type Labels = Record<string, string> | undefined

/** Whether an object of those labels is selected. */
export const fits = (labels: Labels, selector: Labels = {}): boolean =>
  Object.entries(selector).every(([name, value]) => labels?.[name] === value)

/** Whether somebody in a node reads that variable: besides us Node itself and the S3 client. */
export const isRead = (name: string): boolean =>
  name in Environment.entries || /^(NODE_OPTIONS|AWS_[A-Z0-9_]+)$/.test(name)

export type Overlay = ReturnType<typeof lookInto>

/** What the objects of an overlay are to each other. */
export const lookInto = (objects: readonly Thing[]) => {
  const all = <K extends keyof Kinds>(kind: K): (Kinds[K] & Thing)[] =>
    objects.filter((object) => object.kind === kind) as (Kinds[K] & Thing)[]
  /** By its name, with or without the hash of its contents. */
  const one = <K extends keyof Kinds>(kind: K, name: string): Kinds[K] & Thing => {
    const found = all(kind).filter(
      ({ metadata }) => metadata.name.replace(/-[a-z0-9]{10}$/, '') === name || metadata.name === name,
    )
    if (found.length !== 1 || !found[0]) throw new Error(`${found.length} of ${kind} ${name}`)
    return found[0]
  }
  const workloads = () => [...all('StatefulSet'), ...all('Deployment')]
  const template = (workload: IStatefulSet): IPodTemplateSpec => workload.spec?.template as IPodTemplateSpec
  const podsOf = (selector: Labels): IPodTemplateSpec[] =>
    workloads()
      .map(template)
      .filter(({ metadata }) => fits(metadata?.labels as Labels, selector))
  const portsOf = ({ spec }: IPodTemplateSpec): string[] =>
    (spec?.containers ?? []).flatMap(({ ports = [] }) => ports.flatMap(({ name }) => name ?? []))
  const gateway = () => {
    const nodes = one('StatefulSet', 'saoma-gateway')
    const container = template(nodes).spec?.containers[0]
    if (!container) throw new Error('the nodes have no container')
    return { nodes, container, pod: template(nodes).spec }
  }
  /**
   * The environment of the container of that pod, as the kubelet would make it: what a Secret of the
   * operator's holds is left out.
   */
  const environmentOf = (pod: IPodTemplateSpec): Record<string, string> => {
    const container = pod.spec?.containers[0]
    const env: Record<string, string> = {}
    for (const { configMapRef, secretRef } of container?.envFrom ?? []) {
      if (configMapRef?.name)
        Object.assign(env, all('ConfigMap').find(({ metadata }) => metadata.name === configMapRef.name)?.data)
      const secret = all('Secret').find(({ metadata }) => metadata.name === secretRef?.name)
      for (const [key, value] of Object.entries(secret?.data ?? {})) env[key] = Buffer.from(value, 'base64').toString()
    }
    for (const { name, value, valueFrom } of container?.env ?? []) {
      // What the controller labels pod 3 with.
      if (valueFrom?.fieldRef?.fieldPath === "metadata.labels['apps.kubernetes.io/pod-index']") env[name] = '3'
      else if (value !== undefined && value !== null) env[name] = value
    }
    return env
  }
  return { objects, all, one, workloads, template, podsOf, portsOf, gateway, environmentOf }
}
