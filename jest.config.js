/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/{packages,apps}/*/test/**/*.test.ts'],
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
