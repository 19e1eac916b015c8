import type { App, Simulator } from '@saoma/testing'
import QRCode from 'qrcode'
import { called, started } from './called.ts'

export interface Welcome {
  origin: string
  lan: boolean
  wechat: boolean
  nodes: readonly { id: string; app: App }[]
  shop: App
  simulator: Simulator
  apiKeyFile: string
  /** The settings take new keys while the nodes run. */
  takesKeys: boolean
  logs: string
}

const demoPhone = (lan: boolean): string =>
  lan
    ? 'Scan the code on the page with a phone on the same network, or press "open the phone page".'
    : `Press "open the phone page" there to be the phone (${started('--lan')} lets a real one in).`

const aboutDemo = `
  Codes of a mini-program, a pool of them and WeChat's outages:  ${started('--wechat')}
`

const aboutWechat = (simulator: string): string => `
  Be the phone:   ${called('phone')}
                  scans the newest code on a page. --name "Han Meimei" changes the person, --decline says no.
                  To scan another code, pass a saved picture, a ticket, or the address of "Open in WeChat".
  WeChat down:    curl ${simulator}/simulator/faults -H 'Content-Type: application/json' \\
                    -d '{"kind":"down","path":"/wxa/getwxacodeunlimit"}'
                  Meanwhile codes come from the pool. To scan one, save its picture and pass the file to that
                  command (with --check and the number, if there is one beside the code).
  And up again:   curl -X DELETE ${simulator}/simulator/faults
  The pool:       ${called('pool list')}
`

/** What a person reads when everything runs. */
export const welcome = async (cluster: Welcome): Promise<string> => {
  const { origin, lan, wechat, nodes, shop, simulator, apiKeyFile, takesKeys, logs } = cluster
  // Without --lan no phone could reach the address in the picture.
  const picture = lan ? await QRCode.toString(origin, { type: 'terminal', small: true, errorCorrectionLevel: 'L' }) : ''
  const rows = nodes.map(
    ({ id, app }) =>
      `  node ${id}   process ${app.pid}   http://127.0.0.1:${app.port}   metrics http://127.0.0.1:${app.internalPort}/metrics`,
  )
  const codes = wechat ? 'it draws the codes' : 'for wx.login codes; the picture is for any camera'
  return `
${picture}
  Saoma is up:  ${origin}

${rows.join('\n')}
  wechat   simulated (${codes})   ${simulator.origin}
  shop     process ${shop.pid}   http://127.0.0.1:${shop.port}   a small business that uses Saoma
  api key  ${apiKeyFile}${takesKeys ? `   for more: ${called("key create NAME 'room:*,user:*'")}` : ''}
  logs     ${logs}

  ${origin}/table.html?table=7       several people, one order
  ${origin}/chat.html?room=lobby     a chat room
  ${origin}/inbox.html               a message center
  ${origin}/job.html                 a result from a slow third party
${wechat ? aboutWechat(simulator.origin) : aboutDemo}
  1. Open ${origin} in a browser.
  2. ${wechat ? 'Be the phone, with the command above.' : demoPhone(lan)}
  3. Kill a node while a code is open (kill -9 ${nodes[0]?.app.pid}) and finish the login. Ctrl-C ends everything.
`
}
