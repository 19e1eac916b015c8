import { randomBytes } from 'node:crypto'

/** An Engine.IO session id that begins with the node's name. nginx routes polling requests by it. */
export const newSessionId = (nodeId: string): string => `${nodeId}-${randomBytes(15).toString('base64url')}`
