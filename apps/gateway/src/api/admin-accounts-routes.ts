import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { DisableRequest, IdentityName, NewIdentity } from '../admin/account-request.ts'
import type { StateSet } from '../admin/account-state.ts'
import type { AccountList } from '../admin/accounts.ts'
import type { PersonDeleted } from '../admin/delete-person.ts'
import type { AccountView } from '../admin/export-person.ts'
import type { IdentityList } from '../admin/identities.ts'
import type { PersonSessions } from '../admin/sessions.ts'
import { EndRequest } from '../login/end-request.ts'
import type { Operations, Parameter } from './operation.ts'

const KEY = ['UNAUTHORIZED', 'SCOPE_MISSING'] as const
const common = { group: 'Administrators', internal: true, credentials: ['apiKey'] } as const

const sub = v.string()
const ended = v.pipe(v.number(), v.integer(), v.minValue(0))
const identities = v.array(
  v.object({
    provider: v.picklist(['wechat', 'app', 'passkey', 'demo']),
    app: v.string(),
    id: v.string(),
    union: v.exactOptional(v.string()),
  }),
)
const Account = v.object({
  sub,
  state: v.picklist(['active', 'disabled', 'deleted']),
  claims: v.record(v.string(), v.unknown()),
  identities,
}) satisfies v.GenericSchema<unknown, AccountView>
const Accounts = v.object({ accounts: v.array(Account) }) satisfies v.GenericSchema<unknown, AccountList>
const State = v.object({ sub, state: v.picklist(['active', 'disabled']), ended }) satisfies v.GenericSchema<
  unknown,
  StateSet & { sub: string }
>
const Deleted = v.object({ sub, state: v.picklist(['deleted', 'unknown']), ended }) satisfies v.GenericSchema<
  unknown,
  PersonDeleted & { sub: string }
>
const Identities = v.object({ sub, identities }) satisfies v.GenericSchema<unknown, IdentityList>
const Sessions = v.object({
  sessions: v.array(
    v.object({
      ...{ sid: v.string(), client: v.string(), app: v.string() },
      ...{ ip: v.string(), browser: v.string(), os: v.string(), since: v.string() },
    }),
  ),
}) satisfies v.GenericSchema<unknown, PersonSessions>
const Export = v.object({
  sub,
  account: v.omit(Account, ['sub']),
  sessions: Sessions.entries.sessions,
  activity: v.array(v.record(v.string(), v.unknown())),
  messages: v.array(v.record(v.string(), v.unknown())),
})

const path = { sub: { says: 'A person: a `sub`.', schema: sub } } as const
const named = {
  provider: {
    says: '`wechat`, `app`, `passkey` or `demo`.',
    schema: IdentityName.entries.provider,
    required: true,
  },
  app: { says: 'The app of the identity: an appid.', schema: IdentityName.entries.app },
} as const satisfies Record<string, Parameter>
const id: Parameter = { says: 'The id there: an openid.', schema: IdentityName.entries.id }

/** The administrators' routes about people, in the order of PROTOCOL.md. */
export const adminAccountOperations = {
  'GET /v1/admin/accounts': {
    ...common,
    id: 'searchAccounts',
    summary: 'Whose an identity or a unionid is',
    says: 'Give `id`, with `app`, or `union`. There is no list of all people.',
    query: {
      ...named,
      id,
      union: { says: 'A unionid, in the place of `app` and `id`.', schema: IdentityName.entries.id },
    },
    answers: { 200: { says: 'The account, or none.', json: Accounts } },
    codes: KEY,
  },
  'GET /v1/admin/accounts/{sub}': {
    ...common,
    id: 'readAccount',
    summary: 'An account with its claims and identities',
    path,
    answers: { 200: { says: 'The account. Of a deleted one only its state is left.', json: Account } },
    codes: [...KEY, 'NOT_FOUND'],
  },
  'POST /v1/admin/accounts/{sub}/disable': {
    ...common,
    id: 'disableAccount',
    summary: 'Locks a person out, and ends all that goes on',
    path,
    body: { schema: DisableRequest, optional: true, says: '`reason` is a sentence for the person.' },
    answers: { 200: { says: 'The account is disabled.', json: State } },
    codes: [...KEY, 'NOT_FOUND', 'TOO_LARGE'],
  },
  'POST /v1/admin/accounts/{sub}/enable': {
    ...common,
    id: 'enableAccount',
    summary: 'Lets a person in again',
    path,
    answers: { 200: { says: 'The account is active. `ended` is 0.', json: State } },
    codes: [...KEY, 'NOT_FOUND', 'TOO_LARGE'],
  },
  'DELETE /v1/admin/accounts/{sub}': {
    ...common,
    id: 'deleteAccount',
    summary: 'Deletes what is kept of a person',
    says: 'It may be repeated, and completes a call that was interrupted.',
    path,
    answers: {
      200: { says: '`unknown` if there was no such account in the last 90 days.', json: Deleted },
    },
    codes: KEY,
  },
  'GET /v1/admin/accounts/{sub}/export': {
    ...common,
    id: 'exportAccount',
    summary: 'All that is kept of a person',
    path,
    answers: { 200: { says: 'One document. A part of it is no JSON.', json: Export } },
    codes: [...KEY, 'NOT_FOUND'],
  },
  'POST /v1/admin/accounts/{sub}/identities': {
    ...common,
    id: 'linkIdentity',
    summary: 'Adds an identity to an account',
    says: 'INVALID if it has another account.',
    path,
    body: { schema: NewIdentity },
    answers: { 200: { says: 'The identities of the account.', json: Identities } },
    codes: [...KEY, 'NOT_FOUND', 'TOO_LARGE'],
  },
  'DELETE /v1/admin/accounts/{sub}/identities': {
    ...common,
    id: 'unlinkIdentity',
    summary: 'Takes an identity off an account',
    says: 'INVALID if it is the last one.',
    path,
    query: { ...named, id: { ...id, required: true } },
    answers: { 200: { says: 'The identities of the account.', json: Identities } },
    codes: [...KEY, 'NOT_FOUND'],
  },
  'GET /v1/admin/accounts/{sub}/sessions': {
    ...common,
    id: 'listPersonSessions',
    summary: 'Where a person is logged in',
    path,
    answers: { 200: { says: 'All sessions, the newest first.', json: Sessions } },
    codes: KEY,
  },
  'POST /v1/admin/accounts/{sub}/sessions/end': {
    ...common,
    id: 'endPersonSessions',
    summary: 'Ends a session of a person, all of them, or all but one',
    says: 'As `POST /v1/users/{user}/end`. Needs the scope `sessions:end`, and a pattern for the channel of the person.',
    path,
    body: { schema: EndRequest, optional: true, says: 'Without `sid` all sessions end, but for `keep`.' },
    answers: { 200: { says: 'How many of the sessions of Saoma have ended.', json: schemas.SessionsEnded } },
    codes: [...KEY, 'FORBIDDEN', 'TOO_LARGE'],
  },
} as const satisfies Operations
