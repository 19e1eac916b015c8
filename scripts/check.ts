import { runNode, tool } from './run.ts'

const steps = [
  { name: 'format and lint', args: [tool('@biomejs/biome/bin/biome'), 'check', '.'] },
  { name: 'types', args: [tool('typescript/bin/tsc'), '-p', '.'] },
  // Separate, because its globals are WeChat's, which conflict with Node's.
  { name: 'types of the mini-program', args: [tool('typescript/bin/tsc'), '-p', 'apps/miniprogram'] },
  { name: 'boundaries', args: ['scripts/check-boundaries.ts'] },
  { name: 'clocks', args: ['scripts/check-clocks.ts'] },
  { name: 'width', args: ['scripts/check-width.ts'] },
  { name: 'paths', args: ['scripts/check-paths.ts'] },
  { name: 'links', args: ['scripts/check-links.ts'] },
  { name: 'translations', args: ['scripts/check-translations.ts'] },
  { name: 'rules', args: ['scripts/check-specs.ts'] },
  { name: 'workflows', args: ['scripts/check-workflows.ts'] },
  { name: 'packages', args: ['scripts/check-packages.ts'] },
]

/**
 * Runs all checks: format, lint, types, boundaries, clocks and so on. It does not stop at a failure, so one
 * run reports everything. Resolves with the names of the failed checks.
 */
export const check = async (): Promise<string[]> => {
  const failed: string[] = []
  for (const { name, args } of steps) if ((await runNode(args)) !== 0) failed.push(name)
  return failed
}

if (import.meta.main) {
  const failed = await check()
  console.log(failed.length === 0 ? 'The check passed.' : `The check failed: ${failed.join(', ')}.`)
  process.exitCode = failed.length === 0 ? 0 : 1
}
