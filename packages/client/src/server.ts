export type { Answer, Failure } from './core/request.ts'
export { bearerOf } from './server/bearer.ts'
export type { ProvenRequest } from './server/key-proof.ts'
export {
  createPublisher,
  type EndOptions,
  type Outgoing,
  type Publisher,
  type PublisherOptions,
} from './server/publisher.ts'
export type { Refusal, RefusalCode } from './server/refusals.ts'
export {
  type AccessClaims,
  createVerifier,
  type Verified,
  type Verifier,
  type VerifierOptions,
} from './server/verifier.ts'
