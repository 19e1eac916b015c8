export { createLogin, createSession, decodeClaims } from '@saoma/client'
export { SaomaLogin } from '@saoma/client/element'
