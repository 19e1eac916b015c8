export { type UsedChannel, type UsedSession, useChannel, usePresence, useSession } from './hooks.ts'
export { SaomaLogin } from './login.ts'
export { createSaoma, type SaomaOptions } from './plugin.ts'
