import { LONGEST_HOLD_SECONDS } from '@saoma/protocol'
import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { ActivityCursor } from '../login/activity.ts'
import { BrowserId } from '../login/browsers.ts'
import { EndRequest } from '../login/end-request.ts'
import { Keep, SessionId } from '../login/logins.ts'
import { PictureOpens } from '../login/qr/routes.ts'
import { Listed } from '../login/tickets.ts'
import { TypedCode } from '../login/user-codes.ts'
import { WholeNumber } from '../transport/http/query.ts'
import { Decision, FoundDevice, Nothing, Person, Resumed, UserCode } from './answers.ts'
import type { Operations, Parameter } from './operation.ts'

const ticket: Parameter = { says: 'A ticket. Any other text is answered TICKET_NOT_FOUND.', schema: schemas.Ticket }
const PHONE = ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'FORBIDDEN'] as const
const PERSON = ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'BACKEND_UNAVAILABLE', 'FORBIDDEN'] as const
const VERIFIED = ['VERIFICATION_REQUIRED', 'VERIFICATION_WRONG'] as const
const DECIDED = ['TICKET_NOT_FOUND', 'TICKET_TAKEN', 'TICKET_VOID', 'TICKET_EXPIRED', 'TICKET_SETTLED'] as const

const userinfo = {
  group: 'Login: person',
  summary: 'What a token may know of its person',
  credentials: ['ownToken', 'phoneToken'],
  answers: { 200: { says: 'The claims, by the scopes of the token.', json: Person } },
  codes: ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'SCOPE_MISSING', 'ACCOUNT_DISABLED'],
} as const

/** The routes of `login/`, in the order of PROTOCOL.md. */
export const loginOperations = {
  'GET /v1/tickets/{ticket}/qr': {
    id: 'getPicture',
    group: 'Login: browser',
    summary: 'The picture of a pending ticket',
    says: 'As an image, or as JSON with `Accept: application/json`. An image has the headers `X-Saoma-Code` and, if there is a check number, `X-Saoma-Check`.',
    credentials: [],
    path: { ticket },
    query: {
      opens: {
        says: 'What it opens: `phone`, the mini-program or the phone page, or `app`, the app of the business. Without it the setting SAOMA_CODE_OPENS decides. NOT_FOUND: there is no such app.',
        schema: PictureOpens,
      },
    },
    answers: {
      200: { says: 'The picture.', json: schemas.CodePicture, other: ['image/png', 'image/jpeg'] },
    },
    codes: ['NOT_FOUND', 'TICKET_NOT_FOUND', 'WECHAT_UNAVAILABLE', 'CODE_UNAVAILABLE'],
  },
  'POST /v1/tickets/{ticket}/link': {
    id: 'makeTicketLink',
    group: 'Login: browser',
    summary: 'An address that opens the app on the same phone, for this ticket',
    says: 'Only while the ticket is pending, six times in two minutes. NOT_FOUND: there is no such way.',
    credentials: ['deviceCode'],
    path: { ticket },
    answers: { 200: { says: 'The address.', json: schemas.TicketLink } },
    codes: ['UNAUTHORIZED', ...DECIDED, 'NOT_FOUND', 'WECHAT_UNAVAILABLE'],
  },
  'GET /v1/link': {
    id: 'getLink',
    group: 'Login: browser',
    summary: 'An address that opens the app where a user code is typed',
    says: 'It is the same for everybody. NOT_FOUND: there is no such way.',
    credentials: [],
    answers: { 200: { says: 'The address.', json: schemas.TicketLink } },
    codes: ['NOT_FOUND', 'WECHAT_UNAVAILABLE'],
  },
  'GET /v1/tickets/{ticket}': {
    id: 'followTicket',
    group: 'Login: browser',
    summary: 'The state of a ticket, as a long poll or an event stream',
    says: 'It is held until the version is above `after`. With `Accept: text/event-stream` it is a stream of events `ticket`, which AsyncAPI describes.',
    credentials: ['deviceCode'],
    path: { ticket },
    query: {
      after: {
        says: 'The last version that is known. Without it the present state comes at once.',
        schema: WholeNumber,
      },
      wait: {
        says: `Seconds to hold the answer, ${LONGEST_HOLD_SECONDS} at most and by default.`,
        schema: WholeNumber,
      },
    },
    headers: { 'Last-Event-ID': { says: 'In place of `after`: the id of the last event.', schema: WholeNumber } },
    answers: { 200: { says: 'The state.', json: schemas.TicketState, other: ['text/event-stream'] } },
    codes: ['UNAUTHORIZED', 'TICKET_NOT_FOUND', 'TICKET_EXPIRED'],
  },
  'POST /v1/tickets/{ticket}/resume': {
    id: 'resumeTicket',
    group: 'Login: browser',
    summary: 'The device code of a ticket that this browser made',
    credentials: ['ticketCookie'],
    path: { ticket },
    answers: { 200: { says: 'The device code and the state.', json: Resumed } },
    codes: ['UNAUTHORIZED', 'TICKET_NOT_FOUND', 'TICKET_EXPIRED'],
  },
  'POST /v1/user-codes': {
    id: 'findDevice',
    group: 'Login: browser',
    summary: 'The ticket of a device whose code was typed on a page',
    says: 'Thirty tries a minute for a network. Codes of pages are not found.',
    credentials: [],
    body: { schema: TypedCode },
    answers: { 200: { says: 'The ticket, and the name of the application.', json: FoundDevice } },
    codes: ['TICKET_NOT_FOUND'],
  },
  'POST /v1/tickets/{ticket}/scan': {
    id: 'scanTicket',
    group: 'Login: phone',
    summary: 'A phone has scanned the code',
    says: 'The first account to scan owns the ticket. Show `request` before you ask for a yes.',
    credentials: ['phoneToken'],
    path: { ticket },
    query: {
      listed: { says: '`1`: the phone has read no picture, the request was in its list.', schema: Listed },
    },
    answers: { 200: { says: 'The state, and who asks for the login.', json: schemas.ScanAnswer } },
    codes: [...PHONE, 'REVOKED', 'ACCOUNT_DISABLED', ...DECIDED, 'VERIFICATION_REQUIRED'],
  },
  'POST /v1/tickets/{ticket}/confirm': {
    id: 'confirmTicket',
    group: 'Login: phone',
    summary: 'The owner of the ticket agrees',
    says: 'CONSENT_REQUIRED: the application belongs to somebody else, and `scopes` is not what `request` has. If the answer of the scan says that the login is verified by number, send the two digits that the person has typed.',
    credentials: ['phoneToken'],
    path: { ticket },
    body: {
      schema: schemas.Confirmation,
      optional: true,
      says: '`scopes` are those that the phone has shown, `number` is what the person has typed.',
    },
    answers: { 200: { says: 'The state.', json: Decision } },
    codes: [...PHONE, 'REVOKED', 'ACCOUNT_DISABLED', ...DECIDED, 'NOT_SCANNED', 'CONSENT_REQUIRED', ...VERIFIED],
  },
  'POST /v1/tickets/{ticket}/reject': {
    id: 'rejectTicket',
    group: 'Login: phone',
    summary: 'The phone declines',
    credentials: ['phoneToken'],
    path: { ticket },
    answers: { 200: { says: 'The state.', json: Decision } },
    codes: [...PHONE, ...DECIDED],
  },
  'GET /v1/me/requests': {
    id: 'listRequests',
    group: 'Login: phone',
    summary: 'Requests to log in that applications and known browsers have sent to the phone',
    says: 'Those that wait, the newest first. Scan, confirm or reject the ticket as if it had been scanned. The event `request` of the channel `@user` says when to read the list again.',
    credentials: ['phoneToken'],
    answers: { 200: { says: 'The requests.', json: schemas.WaitingRequests } },
    codes: [...PHONE],
  },
  'POST /v1/me/requests/{ticket}/report': {
    id: 'reportRequest',
    group: 'Login: phone',
    summary: 'Declines a request of which the person says: this was not me',
    says: 'Whoever sent it can send this person no request for a day, and a known browser is forgotten. It is noted in the audit, and may be repeated.',
    credentials: ['phoneToken'],
    path: { ticket },
    answers: { 200: { says: 'The state.', json: Decision } },
    codes: [...PHONE, ...DECIDED],
  },
  'GET /v1/user-codes/{user_code}': {
    id: 'findUserCode',
    group: 'Login: phone',
    summary: 'The ticket of a code that was typed',
    says: 'Five tries a minute.',
    credentials: ['phoneToken'],
    path: { user_code: { says: 'The code as it was typed. Its first 32 characters count.', schema: v.string() } },
    answers: { 200: { says: 'The ticket.', json: UserCode } },
    codes: [...PHONE, 'TICKET_NOT_FOUND'],
  },
  'POST /v1/codes/{scene}': {
    id: 'resolveCode',
    group: 'Login: phone',
    summary: 'The present ticket of a code that was made ahead',
    says: 'CHECK_REQUIRED asks for the two digits beside the picture.',
    credentials: ['phoneToken'],
    path: {
      scene: {
        says: 'The scene of the code. Any other text is answered TICKET_NOT_FOUND.',
        schema: schemas.PooledScene,
      },
    },
    body: { schema: schemas.VerificationDigits, optional: true },
    answers: { 200: { says: 'The ticket.', json: schemas.PooledCodeAnswer } },
    codes: [...PHONE, 'TICKET_NOT_FOUND', 'TICKET_EXPIRED', 'CHECK_REQUIRED', 'CHECK_WRONG'],
  },
  'GET /v1/sessions': {
    id: 'listSessions',
    group: 'Login: person',
    summary: 'Where a person is logged in',
    credentials: ['ownToken', 'phoneToken'],
    answers: { 200: { says: 'The sessions, the newest first.', json: schemas.SessionList } },
    codes: PERSON,
  },
  'DELETE /v1/sessions/{sid}': {
    id: 'endSession',
    group: 'Login: person',
    summary: 'Ends one session',
    credentials: ['ownToken', 'phoneToken'],
    path: { sid: { says: 'The session. Any other text is answered SESSION_NOT_FOUND.', schema: SessionId } },
    answers: { 200: { says: 'One session has ended.', json: schemas.SessionsEnded } },
    codes: [...PERSON, 'SESSION_NOT_FOUND'],
  },
  'POST /v1/sessions/{sid}/report': {
    id: 'reportSession',
    group: 'Login: person',
    summary: 'Ends a session of which the person says: this was not me',
    says: 'It is noted in the audit. It may be repeated, also for a session that is over.',
    credentials: ['ownToken', 'phoneToken'],
    path: { sid: { says: 'The session. Any other text is answered SESSION_NOT_FOUND.', schema: SessionId } },
    answers: { 200: { says: 'Whether this call has ended it: 1 or 0.', json: schemas.SessionsEnded } },
    codes: [...PERSON, 'SESSION_NOT_FOUND'],
  },
  'DELETE /v1/sessions': {
    id: 'endSessions',
    group: 'Login: person',
    summary: 'Ends all sessions, or all but the own one',
    credentials: ['ownToken', 'phoneToken'],
    query: { keep: { says: 'Whether the own session stays.', schema: Keep } },
    answers: { 200: { says: 'How many have ended.', json: schemas.SessionsEnded } },
    codes: [...PERSON, 'SCOPE_MISSING'],
  },
  'GET /v1/me/activity': {
    id: 'listActivity',
    group: 'Login: person',
    summary: 'What happened to a person’s logins',
    says: 'The newest first, as far as it is kept. Only the person reads it.',
    credentials: ['ownToken', 'phoneToken'],
    query: {
      limit: { says: 'Most entries of the page: 20 if left out, 100 at most.', schema: WholeNumber },
      cursor: { says: 'The cursor of the page before.', schema: ActivityCursor },
    },
    answers: { 200: { says: 'A page. Without `cursor` it is the last.', json: schemas.ActivityPage } },
    codes: PERSON,
  },
  'GET /v1/me/browsers': {
    id: 'listBrowsers',
    group: 'Login: person',
    summary: 'The browsers that may ask the person’s phone',
    says: 'Each has proven a key when the person logged in there. The one that was used last comes first.',
    credentials: ['ownToken', 'phoneToken'],
    answers: { 200: { says: 'The browsers, 20 at most.', json: schemas.KnownBrowsers } },
    codes: PERSON,
  },
  'DELETE /v1/me/browsers/{browser}': {
    id: 'forgetBrowser',
    group: 'Login: person',
    summary: 'Forgets a browser',
    says: 'It cannot ask the phone any more. Its session goes on.',
    credentials: ['ownToken', 'phoneToken'],
    path: { browser: { says: 'The id of the list. Any other text is answered NOT_FOUND.', schema: BrowserId } },
    answers: { 200: { says: 'It is forgotten.', json: Nothing } },
    codes: [...PERSON, 'NOT_FOUND'],
  },
  'GET /oidc/me': {
    ...userinfo,
    id: 'getUserinfo',
    says: 'The userinfo of OpenID Connect, as the account has it now. `profile` gives `name`, `picture` and `locale`, `phone` gives `phone_number`, and `phone_number_verified` if WeChat has told it. `business` gives the claims of the business. A refusal has `error` of OAuth, too.',
  },
  'POST /oidc/me': { ...userinfo, id: 'postUserinfo', says: 'The same: OpenID Connect asks for both methods.' },
  'POST /v1/users/{user}/end': {
    id: 'endUser',
    group: 'Login: backend',
    summary: 'Ends a session of a person, all of them, or all but one',
    says: 'Refresh tokens give no more tokens, and logins that the person has scanned are refused. Sockets, streams and held polls are told and closed on every node. Give `sid` or `keep`, not both.',
    credentials: ['apiKey'],
    path: {
      user: { says: 'The id of a person: what follows `user:` in the name of the channel.', schema: v.string() },
    },
    body: {
      schema: EndRequest,
      optional: true,
      says: 'Without `sid` all sessions end, but for `keep`. `reason` is a sentence for the person.',
    },
    answers: { 202: { says: 'How many of the sessions of Saoma have ended.', json: schemas.SessionsEnded } },
    codes: PERSON,
  },
} as const satisfies Operations
