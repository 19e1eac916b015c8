import { createAuthJwksCheck } from './auth-jwks.ts'
import type { Check } from './check.ts'
import { clocksCheck } from './clocks.ts'
import { nodesCheck } from './nodes.ts'
import { originChecks } from './origin-checks.ts'
import { createPhoneIssuersCheck } from './phone-issuers.ts'
import { createRedisCheck } from './redis.ts'
import { createSecretsCheck } from './secrets.ts'
import { createSettingsCheck } from './settings.ts'
import type { Source } from './source.ts'
import { wechatCheck } from './wechat.ts'

/** All checks, in the order of the report. */
export const createChecks = (source: Source): Check[] => [
  createSettingsCheck(source),
  createSecretsCheck(source),
  createRedisCheck(source),
  clocksCheck,
  nodesCheck,
  wechatCheck,
  createAuthJwksCheck(source),
  createPhoneIssuersCheck(source),
  ...originChecks,
]
