import * as v from 'valibot'
import type { ListedClient } from '../access/listed-client.ts'
import { ClientChangeRequest, NewClientRequest } from '../admin/client-requests.ts'
import { RotateRequest } from '../admin/entry-requests.ts'
import type { Operations, Parameter } from './operation.ts'

const time = v.optional(v.string())

const members = {
  client_id: v.string(),
  source: v.picklist(['file', 'redis']),
  client: v.optional(NewClientRequest),
  madeAt: time,
  madeBy: v.optional(v.string()),
  rotatedAt: time,
  formerUntil: time,
  firstUsedAt: time,
  lastUsedAt: time,
  hidden: v.optional(v.literal(true)),
  unreadable: v.optional(v.literal(true)),
} as const satisfies Partial<Record<keyof ListedClient, unknown>>

const Listed = v.object(members)
const Made = v.object({ client_secret: v.optional(v.string()), ...members })
const Rotated = v.object({ client_secret: v.string(), ...members })
const Page = v.object({ clients: v.array(Listed), cursor: v.optional(v.string()) })
const Removed = v.object({ client_id: v.string(), removed: v.boolean() })

const client_id: Parameter = { says: 'The id of an application.', schema: v.string() }

const CALLER = ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'SCOPE_MISSING'] as const
const WRITER = [...CALLER, 'FORBIDDEN', 'TOO_LARGE'] as const

/** The routes of registered applications, in the order of PROTOCOL.md. */
export const adminClientOperations = {
  'GET /v1/admin/clients': {
    id: 'listClients',
    group: 'Administrators',
    internal: true,
    summary: 'The applications of Redis and of this node’s file',
    credentials: ['apiKey'],
    query: {
      limit: { says: 'Most applications of the page: 50 if left out, 500 at most.', schema: v.string() },
      cursor: { says: 'The cursor of the page before.', schema: v.string() },
    },
    answers: { 200: { says: 'A page, by id. Without `cursor` it is the last one.', json: Page } },
    codes: CALLER,
  },
  'GET /v1/admin/clients/{client_id}': {
    id: 'readClient',
    group: 'Administrators',
    internal: true,
    summary: 'One application',
    credentials: ['apiKey'],
    path: { client_id },
    answers: { 200: { says: 'The one that counts: that of the file, if both have it.', json: Listed } },
    codes: [...CALLER, 'NOT_FOUND'],
  },
  'POST /v1/admin/clients': {
    id: 'createClient',
    group: 'Administrators',
    internal: true,
    summary: 'Registers an application in Redis',
    says: 'The body is an entry as in `SAOMA_CLIENTS`, without its secret. A confidential application gets one.',
    credentials: ['apiKey'],
    body: { schema: NewClientRequest },
    answers: { 201: { says: 'The application. `client_secret` is told here only.', json: Made } },
    codes: [...WRITER, 'NAME_TAKEN'],
  },
  'POST /v1/admin/clients/{client_id}': {
    id: 'changeClient',
    group: 'Administrators',
    internal: true,
    summary: 'Changes an application in Redis',
    says: 'What the body does not name stays. With `null` a member is as if it had been left out.',
    credentials: ['apiKey'],
    path: { client_id },
    body: { schema: ClientChangeRequest },
    answers: { 200: { says: 'The application as it is now.', json: Listed } },
    codes: [...WRITER, 'NOT_FOUND'],
  },
  'POST /v1/admin/clients/{client_id}/rotate': {
    id: 'rotateClient',
    group: 'Administrators',
    internal: true,
    summary: 'Gives an application a new secret',
    says: 'The former secret stays good for `overlapSeconds`: a day if left out. At most three former secrets are good; with 0 all of them end.',
    credentials: ['apiKey'],
    path: { client_id },
    body: { schema: RotateRequest, optional: true },
    answers: { 200: { says: 'The application. `client_secret` is told here only.', json: Rotated } },
    codes: [...WRITER, 'NOT_FOUND'],
  },
  'DELETE /v1/admin/clients/{client_id}': {
    id: 'removeClient',
    group: 'Administrators',
    internal: true,
    summary: 'Removes an application on every node',
    says: 'Its codes and tokens are worthless at once, also to an application that gets its id later.',
    credentials: ['apiKey'],
    path: { client_id },
    answers: { 200: { says: '`removed` is false if there was none.', json: Removed } },
    codes: WRITER,
  },
} as const satisfies Operations
