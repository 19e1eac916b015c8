import { type AuditPage, entrySchema } from '@saoma/audit'
import * as v from 'valibot'
import { AuditParameters } from '../admin/audit-query.ts'
import { adminAccountOperations } from './admin-accounts-routes.ts'
import { adminClientOperations } from './admin-client-routes.ts'
import { adminKeyOperations } from './admin-key-routes.ts'
import type { Operations } from './operation.ts'

const Page = v.object({
  entries: v.array(entrySchema),
  cursor: v.string(),
  more: v.boolean(),
}) satisfies v.GenericSchema<unknown, AuditPage>

const { kind, person, ticket, sid, network, from, to, order, limit, cursor } = AuditParameters.entries

/** The administrators' routes, in the order of PROTOCOL.md. */
export const adminOperations = {
  'GET /v1/admin/audit': {
    id: 'readAudit',
    group: 'Administrators',
    internal: true,
    summary: 'What happened in the cluster',
    says: 'With `Accept: application/x-ndjson` all entries, one in a line, whatever `limit` says.',
    credentials: ['apiKey'],
    query: {
      kind: { says: 'Kinds or groups of kinds, with commas: `login,session.ended`.', schema: kind },
      person: { says: 'A `sub`.', schema: person },
      ticket: { says: 'A ticket.', schema: ticket },
      sid: { says: 'A session.', schema: sid },
      network: { says: 'An address, or a network such as `203.0.113.0/24`.', schema: network },
      from: { says: 'What happened then or later, in ISO 8601.', schema: from },
      to: { says: 'What happened then or earlier, in ISO 8601.', schema: to },
      order: { says: 'Which end comes first: `newest` if left out.', schema: order },
      limit: { says: 'Most entries of the page: 50 if left out, 500 at most.', schema: limit },
      cursor: { says: 'The cursor of the page before, with the same `order`.', schema: cursor },
    },
    answers: {
      200: {
        says: 'A page. It may be short of `limit`, or empty, and still have `more`.',
        json: Page,
        other: ['application/x-ndjson'],
      },
    },
    codes: ['UNAUTHORIZED', 'SCOPE_MISSING'],
  },
  ...adminAccountOperations,
  ...adminKeyOperations,
  ...adminClientOperations,
} as const satisfies Operations
