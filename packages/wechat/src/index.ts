export { type Budget, CODES_PER_MINUTE, createBudget } from './budget.ts'
export type { CodeImage } from './code-image.ts'
export type { WechatEvent } from './events.ts'
export type { WechatFailure } from './failure.ts'
export type { LinkOptions } from './link.ts'
export { type Audit, type AuditOptions, auditPool } from './pool/audit.ts'
export type { CodeStore } from './pool/code-store.ts'
export { FILL_PER_MINUTE, type FillDeps, type Filled, type FillOptions, fillPool } from './pool/fill.ts'
export { createFolderStore, type FolderStoreOptions } from './pool/folder-store.ts'
export { type CodeStoreOptions, openCodeStore } from './pool/open-code-store.ts'
export {
  createPool,
  type Lease,
  type Pool,
  type PooledCode,
  type PooledImage,
  type PoolOptions,
  type Stock,
} from './pool/pool.ts'
export { createRefill, type Refill, type RefillDeps, type RefillEvent, type RefillOptions } from './pool/refill.ts'
export { CodeStoreError, createS3Store, type S3StoreOptions } from './pool/s3-store.ts'
export { createWechat, type Wechat, type WechatOptions } from './wechat.ts'
