/*
 * What `@saoma/react` and `@saoma/vue` share, for components of any framework. It is apart from the index,
 * because a page without components does not need it.
 */
export type { Store } from './core/store.ts'
export { attachLogin, attributesOf, type LoginListener, type LoginProps } from './element/attach-login.ts'
export type { ChannelOptions, ChannelState, Present } from './live/channel-store.ts'
export { type Channel, type Channels, type ChannelsOptions, createChannels } from './live/channels.ts'
export { createSessionStore, type SessionState } from './session/session-store.ts'
