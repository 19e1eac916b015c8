import '@saoma/client/wx/globals'
import { app, asksPhoneNumber, loginPage, loginTemplate, origin, person } from './config.ts'
import type { Shared } from './current-program.ts'
import { baseOf, isTooOld } from './logic/base-library.ts'
import { createProgram } from './logic/program.ts'

const program = createProgram({
  ...{ wx, origin, asksPhoneNumber, loginTemplate },
  askNumber: (fail) => void wx.navigateTo({ url: `/${loginPage}?asks=number`, fail }),
  ...(person ? { demo: person } : {}),
  ...(app ? { app } : {}),
})
// An old version may still work, at least in part. So the person gets a warning, and may continue.
if (isTooOld(baseOf(wx))) wx.showModal({ content: program.text.words.tooOld, showCancel: false })

App<{ globalData: Shared }>({ globalData: { program } })
