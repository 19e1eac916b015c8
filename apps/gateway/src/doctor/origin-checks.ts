import type { Check } from './check.ts'
import { forwarded } from './forwarded.ts'
import { checkOrigin } from './origin.ts'
import { transports } from './transports.ts'
import { versions } from './versions.ts'

/** The checks that go through the public origin, as visitors do. */
export const originChecks: Check[] = [checkOrigin(), transports, forwarded, versions]
