export { type UsedChannel, type UsedSession, useChannel, usePresence, useSession } from './hooks.ts'
export { SaomaLogin, type SaomaLoginProps } from './login.ts'
export { SaomaProvider, type SaomaProviderProps } from './provider.ts'
