/*
 * Writes monitoring/alerts.yml as the PrometheusRule of prometheus-operator: the same rules, one level
 * deeper. kustomize cannot embed one file in the other, so the object is a file of its own. A test fails if
 * the two files differ.
 *
 *   node scripts/bootstrap.mjs scripts/alert-object.ts
 */

import { readFile, writeFile } from 'node:fs/promises'

const file = (path: string): URL => new URL(`../${path}`, import.meta.url)

const rules = await readFile(file('monitoring/alerts.yml'), 'utf8')
const head = `# Made of monitoring/alerts.yml. After a change there: node scripts/bootstrap.mjs scripts/alert-object.ts
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: saoma
  labels:
    app.kubernetes.io/part-of: saoma
spec:
`
await writeFile(
  file('k8s/components/monitoring/alerts.yaml'),
  head + rules.replace(/^#.*\n/gm, '').replace(/^(?=.)/gm, '  '),
)
