import { type Code, codes } from '@saoma/protocol'
import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { adminClusterOperations } from './admin-cluster-routes.ts'
import { adminOperations } from './admin-routes.ts'
import { componentsOf, type Json, jsonSchemaOf } from './json-schema.ts'
import { liveOperations } from './live-routes.ts'
import { loginOperations } from './login-routes.ts'
import { operatingOperations } from './operating-routes.ts'
import {
  type Answer,
  type Credential,
  EVERY_ADMIN_ROUTE,
  EVERY_ROUTE,
  type Operation,
  type Operations,
  type Parameter,
} from './operation.ts'

/**
 * All routes of `/v1` at the public port, and those below `/oidc` that the provider does not serve. Those of
 * the page of an interaction are missing: nobody else may call them.
 */
export const operations: Operations = { ...loginOperations, ...liveOperations, ...operatingOperations }
const all: Operations = { ...operations, ...adminOperations, ...adminClusterOperations }

const bearer = (description: string): Json => ({ type: 'http', scheme: 'bearer', description })

const securitySchemes: Record<Credential, Json> = {
  apiKey: bearer('The API key of a backend.'),
  token: bearer('A token of a person: an access token of `/oidc/token`, or what the business issues.'),
  ownToken: bearer('An access token of `/oidc/token`. What the business issues is refused.'),
  phoneToken: bearer(
    'An access token of a phone, got for a `wx.login` code, or for a token of the business’s own app. One that is bound to a key comes with the scheme `DPoP` and a proof in the header `DPoP` (RFC 9449).',
  ),
  deviceCode: bearer('The device code of the ticket. Only the browser that made the ticket has it.'),
  clusterSecret: bearer(
    'Milliseconds since 1970, a dot, and the base64url HMAC-SHA256 of `saoma doctor {ms} {host}`, with a key that is derived from `SAOMA_SECRET`. It is good from 60 s before to 60 s after that moment.',
  ),
  ticketCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'saoma_{ticket}',
    description: 'The cookie of the ticket, whose name ends with the ticket. It is set when a browser makes it.',
  },
}

const REACTIONS = `Every refusal is a problem (RFC 9457) with \`code\` and \`react\`:

- \`retry\`: repeat the call after a back-off, or after \`Retry-After\`
- \`reauth\`: get a new token first
- \`renew\`: ask for a new ticket
- \`stop\`: stop and report the error

Lengths of text count UTF-16 units: a character beyond U+FFFF counts as two. Members that are not named here
are ignored. A token that is bound to a key (RFC 9449) comes with the scheme \`DPoP\` in place of \`Bearer\`, and
with a header \`DPoP\`. A body has up to 64 KiB, or 1 MiB where messages are published. The other \`/oidc\` routes are
described by OpenID Connect's discovery document.`

/** Statuses at which the client is told when to come back. */
const MAY_SAY_WHEN = [429, 502, 503]

const parameter = (
  place: 'path' | 'query' | 'header',
  name: string,
  { says, schema, required, several }: Parameter,
): Json => ({
  name,
  in: place,
  description: says,
  ...(required || place === 'path' ? { required: true } : {}),
  schema: several
    ? { type: 'array', items: jsonSchemaOf(schema), minItems: 1, maxItems: several.most }
    : jsonSchemaOf(schema),
  ...(several ? { style: 'form', explode: true } : {}),
})

const parametersOf = ({ path = {}, query = {}, headers = {} }: Operation): Json[] => [
  ...Object.entries(path).map(([name, what]) => parameter('path', name, what)),
  ...Object.entries(query).map(([name, what]) => parameter('query', name, what)),
  ...Object.entries(headers).map(([name, what]) => parameter('header', name, what)),
]

const contentOf = ({ json, other = [] }: Answer): Json => ({
  ...(json ? { 'application/json': { schema: jsonSchemaOf(json) } } : {}),
  ...Object.fromEntries(
    other.map((type) => [type, type.startsWith('text/') ? { schema: { type: 'string' } } : {}] as const),
  ),
})

/** The problem that some codes of one status are sent as. */
const problemOf = (status: number, names: readonly Code[]): Json => ({
  allOf: [
    jsonSchemaOf(schemas.Problem),
    jsonSchemaOf(v.object({ status: v.literal(status), code: v.picklist(names) })),
  ],
})

const refusalsOf = (names: readonly Code[]): Map<number, Code[]> => {
  const byStatus = new Map<number, Code[]>()
  // In the order of the table, so that a change of a route moves nothing else.
  for (const name of Object.keys(codes) as Code[]) {
    if (!names.includes(name)) continue
    const { status } = codes[name]
    byStatus.set(status, [...(byStatus.get(status) ?? []), name])
  }
  return byStatus
}

const sentenceOf = (name: Code): string => `\`${name}\` (${codes[name].react}): ${codes[name].say.en}`

const responseOf = (status: number, answer: Answer | undefined, names: readonly Code[]): Json => ({
  description: [...(answer ? [answer.says] : []), ...names.map(sentenceOf)].join('\n\n'),
  ...(MAY_SAY_WHEN.includes(status)
    ? { headers: { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } }
    : {}),
  content: {
    ...(answer ? contentOf(answer) : {}),
    ...(names.length > 0 ? { 'application/problem+json': { schema: problemOf(status, names) } } : {}),
  },
})

const refusalName = (names: readonly Code[]): string => names.join('-')

const responsesOf = ({ answers, codes: own, internal }: Operation): Json => {
  const refusals = refusalsOf([...(internal ? EVERY_ADMIN_ROUTE : EVERY_ROUTE), ...own])
  const statuses = [...new Set([...Object.keys(answers).map(Number), ...refusals.keys()])].sort((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => {
      const answer = answers[status]
      const names = refusals.get(status) ?? []
      const shared = { $ref: `#/components/responses/${refusalName(names)}` }
      return [String(status), answer ? responseOf(status, answer, names) : shared] as const
    }),
  )
}

/** The refusals of all routes. Most are shared by many. */
const sharedRefusals = (all: Operations): Json => {
  const shared: Record<string, Json> = {}
  for (const { answers, codes: own, internal } of Object.values(all))
    for (const [status, names] of refusalsOf([...(internal ? EVERY_ADMIN_ROUTE : EVERY_ROUTE), ...own]))
      if (!answers[status]) shared[refusalName(names)] = responseOf(status, undefined, names)
  return Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const INTERNAL = {
  url: 'http://127.0.0.1:9090',
  description: 'The internal port of a node. With `SAOMA_ADMIN_API=public` these routes are at the origin as well.',
}

const operationOf = (operation: Operation): Json => {
  const { id, group, summary, says, credentials, body, internal } = operation
  const parameters = parametersOf(operation)
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(says ? { description: says } : {}),
    ...(internal ? { servers: [INTERNAL] } : {}),
    security: credentials.map((credential) => ({ [credential]: [] })),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            ...(body.says ? { description: body.says } : {}),
            ...(body.optional ? {} : { required: true }),
            content: { 'application/json': { schema: jsonSchemaOf(body.schema) } },
          },
        }
      : {}),
    responses: responsesOf(operation),
  }
}

const pathsOf = (all: Operations): Json => {
  const paths: Record<string, Record<string, Json>> = {}
  for (const [route, operation] of Object.entries(all)) {
    const [method = '', path = ''] = route.split(' ')
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(operation) }
  }
  return paths
}

/**
 * The document of the routes of `/v1`, in OpenAPI 3.1. It is made of the schemas that the routes parse with
 * and of the table of codes.
 */
export const createOpenApi = (version: string): Json => {
  const paths = pathsOf(all)
  const responses = sharedRefusals(all)
  const groups = new Set(Object.values(all).map(({ group }) => group))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Saoma over HTTP',
      version,
      summary: 'Log in by scanning a code, and live channels.',
      description: REACTIONS,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The cluster that serves this document.' }],
    tags: [...groups].map((name) => ({ name })),
    paths,
    components: {
      schemas: componentsOf([paths, responses]),
      responses,
      securitySchemes,
      headers: {
        'Retry-After': {
          description: 'Seconds after which the same call may succeed.',
          schema: { type: 'integer', minimum: 0 },
        },
      },
    },
  }
}
