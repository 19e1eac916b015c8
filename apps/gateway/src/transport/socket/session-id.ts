import { randomBytes } from 'node:crypto'

/** An id of Engine.IO's that names its node: by that nginx finds the way for polling. */
export const newSessionId = (nodeId: string): string => `${nodeId}-${randomBytes(15).toString('base64url')}`
