import { AbortController, AbortSignal } from 'abortcontroller-polyfill/dist/cjs-ponyfill.js'

const { AbortSignal: own } = globalThis as { AbortSignal?: Partial<typeof globalThis.AbortSignal> }

// Replace both or none: a signal of one implementation does not work with the other.
if (!own?.any || !own.timeout) Object.assign(globalThis, { AbortController, AbortSignal })
