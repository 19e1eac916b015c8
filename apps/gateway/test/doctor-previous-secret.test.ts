import { diagnose, SETTINGS } from './diagnosis.ts'

const WEAK = 'changeme-changeme-changeme-changeme'
const DEMO = 'a secret that is good for a demo and for nothing else'
const look = async (env: Record<string, string>) => {
  const { code, findings } = await diagnose(['--json', '--only', 'secrets'], { ...SETTINGS, ...env })
  const of = (name: string) => findings.filter(({ says }) => says.startsWith(name))
  return { code, of }
}

// Another value in its place would open nothing.
test.each([WEAK, DEMO])(
  'a weak secret before the present one is no error, and nobody is told to change it',
  async (value) => {
    const { code, of } = await look({ SAOMA_PREVIOUS_SECRET: value })
    expect(code).toBe(0)
    const [finding, ...more] = of('SAOMA_PREVIOUS_SECRET')
    expect(more).toEqual([])
    expect(finding).toMatchObject({
      code: 'secret-strength',
      level: 'warning',
      todo: expect.stringMatching(
        /^Leave its value as it is, finish the change, .*docs\/operate\.md#replace-saoma_secret/,
      ),
    })
    expect(finding?.todo).not.toContain('openssl')
  },
)

test('for a weak SAOMA_SECRET the present value becomes the previous one', async () => {
  const { of } = await look({ SAOMA_SECRET: WEAK })
  expect(of('SAOMA_SECRET')).toMatchObject([
    {
      level: 'error',
      todo: 'Make another one (openssl rand -base64 32), and let the present value be SAOMA_PREVIOUS_SECRET. docs/operate.md#replace-saoma_secret has the steps.',
    },
  ])
})

test('while a change is going on that has to end first', async () => {
  const { of } = await look({ SAOMA_SECRET: WEAK, SAOMA_PREVIOUS_SECRET: SETTINGS.SAOMA_SECRET })
  expect(of('SAOMA_SECRET')).toMatchObject([
    { level: 'error', todo: expect.stringMatching(/^Finish the change that is going on\. Then make another one/) },
  ])
})

test('the secret of a hook has no former one', async () => {
  const { of } = await look({ SAOMA_HOOK_SECRET: WEAK })
  expect(of('SAOMA_HOOK_SECRET')).toMatchObject([{ todo: 'Make another one: openssl rand -base64 32.' }])
})
