import type { App } from '@saoma/testing'
import QRCode from 'qrcode'

export interface Welcome {
  origin: string
  lan: boolean
  nodes: readonly { id: string; app: App }[]
  shop: App
  apiKeyFile: string
  logs: string
}

/** What a person reads when all is up. */
export const welcome = async ({ origin, lan, nodes, shop, apiKeyFile, logs }: Welcome): Promise<string> => {
  // On this machine only, no phone could follow the picture.
  const picture = lan ? await QRCode.toString(origin, { type: 'terminal', small: true, errorCorrectionLevel: 'L' }) : ''
  const rows = nodes.map(
    ({ id, app }) =>
      `  node ${id}   process ${app.pid}   http://127.0.0.1:${app.port}   metrics http://127.0.0.1:${app.internalPort}/metrics`,
  )
  const phone = lan
    ? 'Scan the code on the page with a phone on the same network, or press "open the phone page".'
    : 'Press "open the phone page" there to be the phone (npm start -- --lan lets a real one in).'
  return `
${picture}
  Saoma is up:  ${origin}

${rows.join('\n')}
  wechat   simulated (for wx.login codes; the picture is for any camera)
  shop     process ${shop.pid}   http://127.0.0.1:${shop.port}   a small business that uses all this
  api key  ${apiKeyFile}
  logs     ${logs}

  ${origin}/table.html?table=7       several people, one order
  ${origin}/chat.html?room=lobby     a chat room
  ${origin}/inbox.html               a message center
  ${origin}/job.html                 the answer of a slow third party

  1. Open ${origin} in a browser.
  2. ${phone}
  3. Kill a node while a code is open (kill -9 ${nodes[0]?.app.pid}) and finish the login. Ctrl-C ends everything.
`
}
