/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/{packages,apps}/*/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  testSequencer: '<rootDir>/scripts/sequencer.js',
  testTimeout: 30_000,
  // More than two cores can do at once: much of a test is waiting.
  maxWorkers: 4,
}
