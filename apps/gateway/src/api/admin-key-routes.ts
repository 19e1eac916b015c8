import * as v from 'valibot'
import type { ListedKey } from '../access/listed-key.ts'
import { channelActs, scopes } from '../access/scopes.ts'
import { RotateRequest } from '../admin/entry-requests.ts'
import { NewKeyRequest } from '../admin/key-requests.ts'
import type { Operations, Parameter } from './operation.ts'

const time = v.optional(v.string())

const members = {
  name: v.string(),
  source: v.picklist(['file', 'redis']),
  channels: v.array(v.string()),
  may: v.array(v.picklist(channelActs)),
  scopes: v.array(v.picklist(scopes)),
  madeAt: time,
  madeBy: v.optional(v.string()),
  expiresAt: time,
  rotatedAt: time,
  formerUntil: time,
  firstUsedAt: time,
  lastUsedAt: time,
  unreadable: v.optional(v.literal(true)),
} as const

const Listed = v.object(members) satisfies v.GenericSchema<unknown, ListedKey>
const Made = v.object({ key: v.string(), ...members })
const Page = v.object({ keys: v.array(Listed), cursor: v.optional(v.string()) })
const Revoked = v.object({ name: v.string(), revoked: v.boolean() })

const name: Parameter = { says: 'The name of a key in Redis.', schema: v.string() }

const CALLER = ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'SCOPE_MISSING'] as const

/** The routes of API keys, in the order of PROTOCOL.md. */
export const adminKeyOperations = {
  'GET /v1/admin/keys': {
    id: 'listKeys',
    group: 'Administrators',
    internal: true,
    summary: 'The API keys of Redis and of this node’s file',
    credentials: ['apiKey'],
    query: {
      limit: { says: 'Most keys of the page: 50 if left out, 500 at most.', schema: v.string() },
      cursor: { says: 'The cursor of the page before.', schema: v.string() },
    },
    answers: { 200: { says: 'A page, by name. Without `cursor` it is the last one.', json: Page } },
    codes: CALLER,
  },
  'POST /v1/admin/keys': {
    id: 'createKey',
    group: 'Administrators',
    internal: true,
    summary: 'Makes an API key in Redis',
    says: 'The key can have only patterns, acts and scopes that the caller has, and no later end. What is left out: no channels, all acts, no scopes, no end.',
    credentials: ['apiKey'],
    body: { schema: NewKeyRequest },
    answers: { 201: { says: 'The key: it is told here only.', json: Made } },
    codes: [...CALLER, 'FORBIDDEN', 'NAME_TAKEN', 'TOO_LARGE'],
  },
  'POST /v1/admin/keys/{name}/rotate': {
    id: 'rotateKey',
    group: 'Administrators',
    internal: true,
    summary: 'Gives an API key a new secret',
    says: 'The former secret stays good for `overlapSeconds`: a day if left out. Then its connections end. At most three former secrets are good; with 0 all of them end.',
    credentials: ['apiKey'],
    path: { name },
    body: { schema: RotateRequest, optional: true },
    answers: { 200: { says: 'The key with its new secret: it is told here only.', json: Made } },
    codes: [...CALLER, 'FORBIDDEN', 'NOT_FOUND', 'TOO_LARGE'],
  },
  'DELETE /v1/admin/keys/{name}': {
    id: 'revokeKey',
    group: 'Administrators',
    internal: true,
    summary: 'Revokes an API key on every node',
    credentials: ['apiKey'],
    path: { name },
    answers: { 200: { says: '`revoked` is false if there was no such key.', json: Revoked } },
    codes: [...CALLER, 'FORBIDDEN', 'TOO_LARGE'],
  },
} as const satisfies Operations
