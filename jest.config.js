import { longTests, WITH_LONG_TESTS } from './scripts/long-tests.ts'

/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/{packages,apps}/*/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...(process.env[WITH_LONG_TESTS] ? [] : longTests)],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  testSequencer: '<rootDir>/scripts/sequencer.js',
  // No test waits for it: it ends one that hangs. A test that starts four nodes takes 30 s on a machine that
  // is busy elsewhere.
  testTimeout: 60_000,
  // More than two cores can do at once: much of a test is waiting.
  maxWorkers: 4,
}
