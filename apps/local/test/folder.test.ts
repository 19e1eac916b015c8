import { isClusterCommand } from '../src/folder.ts'

/** What `ps -o args=` prints. */
test.each([
  ['/usr/bin/node -- /home/ann/saoma/apps/local/src/main.ts\n', true],
  ['node -- /home/ann/saoma/apps/local/src/main.ts --nodes 4\n', true],
  ['node -- /usr/lib/node_modules/saoma/dist/apps/local/src/main.js --lan\n', true],
  ['node apps/local/src/main.ts\n', true],
  ['node -- /home/ann/saoma/apps/local/src/phone.ts\n', false],
  ['node -- /usr/lib/node_modules/saoma/dist/apps/gateway/src/main.js\n', false],
  ['vim /home/ann/saoma/apps/local/README.md\n', false],
  ['', false],
])('%j is a local cluster: %s', (args, is) => {
  expect(isClusterCommand(args)).toBe(is)
})
