import { showDemo } from '../demo/demo.ts'
import { createJob } from './job.ts'
import { jobView } from './view.ts'

const asked = new URLSearchParams(location.search).get('job') ?? ''
const known = /^[A-Za-z0-9_-]{22}$/.test(asked) ? asked : undefined

const remember = (id: string | undefined): void =>
  history.replaceState(null, '', `${location.pathname}${id ? `?job=${id}` : ''}`)

showDemo('job', (surroundings) => {
  const job = createJob(known, surroundings, remember)
  return { view: () => jobView(job), close: job.close }
})
