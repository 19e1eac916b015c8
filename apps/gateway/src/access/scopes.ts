/** What an API key may do beside channels. Administrators' routes name the scope that they need. */
export const scopes = [
  'accounts:read',
  'accounts:write',
  'sessions:end',
  'audit:read',
  'channels:read',
  'channels:write',
  'nodes:read',
  'nodes:write',
  'keys:write',
  'clients:read',
  'clients:write',
] as const
export type Scope = (typeof scopes)[number]
export const isScope = (text: string): text is Scope => (scopes as readonly string[]).includes(text)

/** What an API key may do in the channels that its patterns name. */
export const channelActs = ['publish', 'follow', 'presence'] as const
export type ChannelAct = (typeof channelActs)[number]
