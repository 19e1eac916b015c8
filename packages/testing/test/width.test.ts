import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'

const script = fileURLToPath(new URL('../../../scripts/check-width.ts', import.meta.url))
const wide = 'word '.repeat(25)

/** Files with one line after the other, and the lines that are too wide. */
const files: [name: string, text: string, lines: number[]][] = [
  ['prose.md', `short\n${wide}\n- ${wide}`, [2, 3]],
  ['table.md', `| ${wide} |`, []],
  ['code.md', `\`\`\`\n${wide}\n\`\`\`\n${wide}`, [4]],
  ['address.md', `- https://example.com/${'x'.repeat(120)}`, []],
  ['comment.ts', `// ${wide}\n/** ${wide} */\n * ${wide}\nconst a = '${wide}'`, [1, 2, 3]],
  ['comment.lua', `-- ${wide}\nreturn '${wide}'`, [1]],
  ['comment.yaml', `  # ${wide}\n  a: ${wide}`, [1]],
  ['.env.template', `# ${wide}\n#NAME=${wide}`, [1]],
  ['other.json', wide, []],
]

test('prose that is too wide is found in pages and comments and nowhere else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-width-'))
  onCleanup(() => rm(folder, { recursive: true }))
  for (const [name, text] of files) await writeFile(join(folder, name), text)
  const args = [script, ...files.map(([name]) => join(folder, name))]
  const run = await startProcess({ name: 'the check', command: process.execPath, args })
  expect((await run.exited).code).toBe(1)
  const found = files.flatMap(([name, , lines]) =>
    lines.map((line) => `${join(folder, name)}:${line} is wider than 110 columns`),
  )
  expect(run.lines.map(({ text }) => text)).toEqual(found)
})
