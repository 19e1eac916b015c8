import { Diagnosis } from '../transport/http/diagnosis.ts'
import type { Operations } from './operation.ts'

/** The routes for operators, in the order of PROTOCOL.md. */
export const operatingOperations = {
  'GET /v1/diagnosis': {
    id: 'getDiagnosis',
    group: 'Operating',
    summary: 'How a node sees this request',
    says: 'For `saoma doctor`. Without the right credential it is NOT_FOUND, as any unknown address is.',
    credentials: ['clusterSecret'],
    answers: { 200: { says: 'What the node sees.', json: Diagnosis } },
    codes: ['NOT_FOUND'],
  },
} as const satisfies Operations
