import { AbortController, AbortSignal } from 'abortcontroller-polyfill/dist/cjs-ponyfill.js'

const { AbortSignal: own } = globalThis as { AbortSignal?: Partial<typeof globalThis.AbortSignal> }

// Both or none: a signal of one kind means nothing to the other.
if (!own?.any || !own.timeout) Object.assign(globalThis, { AbortController, AbortSignal })
