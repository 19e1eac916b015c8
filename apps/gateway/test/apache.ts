import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess } from '@saoma/testing'
import { type Application, applicationEnv, createFolder, untilListening } from './documented-applications.ts'

/* Debian's Apache with mod_auth_openidc, and the lines of docs/applications.md. */

const HTTPD = '/usr/sbin/apache2'
const MODULES = '/usr/lib/apache2/modules'

/** The package of Debian. */
export const APACHE_PACKAGE = 'libapache2-mod-auth-openidc'
export const hasApache = (): boolean => existsSync(HTTPD) && existsSync(`${MODULES}/mod_auth_openidc.so`)

/** What Debian's configuration has around the lines of the page. */
const httpdConf = (folder: string, port: number, lines: string): string => `
ServerRoot "${folder}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${folder}/httpd.pid"
DefaultRuntimeDir "${folder}"
ErrorLog "${folder}/error.log"
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'filter', 'include', 'auth_openidc']
  .map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`)
  .join('\n')}
StartServers 1
MinSpareThreads 1
User www-data
Group www-data
TypesConfig /dev/null
AddType text/html .html
AddOutputFilter INCLUDES .html
DirectoryIndex index.html
DocumentRoot "${folder}/htdocs"
<Directory "${folder}/htdocs">
  Options +Includes
  Require all granted
</Directory>
${lines}
`

/**
 * Starts Apache with a page for everybody, and a protected one that says who is there. Resolves with the
 * address of the protected one.
 *
 * @param saoma  origin of the cluster
 * @param env  with the secrets that the page names. @default those of tests
 */
export const startApache = async (
  apache: Application,
  saoma: string,
  env: Record<string, string | undefined> = applicationEnv(),
): Promise<string> => {
  const folder = await createFolder({})
  // Its workers are of another user.
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'htdocs/protected'), { recursive: true })
  await writeFile(join(folder, 'htdocs/index.html'), 'Everybody may read this.')
  const html = 'Hello, <!--#echo var="OIDC_CLAIM_name" -->. You are <!--#echo var="REMOTE_USER" -->.'
  await writeFile(join(folder, 'htdocs/protected/index.html'), html)
  const conf = join(folder, 'apache2.conf')
  await writeFile(conf, httpdConf(folder, apache.port, apache.codeOf('Apache', saoma)))
  const args = ['-f', conf, '-D', 'FOREGROUND']
  await startProcess({ name: 'apache2', command: HTTPD, args, env, forks: true })
  await untilListening(apache)
  return `${apache.origin}/protected/`
}
