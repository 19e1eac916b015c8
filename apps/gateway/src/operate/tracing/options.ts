/** OpenTelemetry's names of the samplers. */
export const traceSamplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type TraceSampler = (typeof traceSamplers)[number]

/** Where OpenTelemetry traces are sent, and which of them. */
export interface TraceOptions {
  url: string
  service: string
  sampler: TraceSampler
  /** The share that ratio-based samplers keep, 0 to 1. */
  ratio: number
}
