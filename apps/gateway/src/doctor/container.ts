import { existsSync } from 'node:fs'

/** What Docker and Podman put into every container. */
const MARKS = ['/.dockerenv', '/run/.containerenv']

/** Whether this process runs in a container, of Docker, Podman or Kubernetes. */
export const isInContainer = ({ KUBERNETES_SERVICE_HOST: kubernetes }: NodeJS.ProcessEnv): boolean =>
  Boolean(kubernetes) || MARKS.some((file) => existsSync(file))
