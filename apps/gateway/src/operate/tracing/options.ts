/** OpenTelemetry's names for which traces are kept. */
export const traceSamplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type TraceSampler = (typeof traceSamplers)[number]

/** Where OpenTelemetry traces go, and which of them. */
export interface TraceOptions {
  url: string
  service: string
  sampler: TraceSampler
  /** Of the samplers that take a part: 0 to 1. */
  ratio: number
}
