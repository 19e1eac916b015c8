import { answerLogin } from '@saoma/client'

/*
 * The whole script of a callback page of another site:
 *
 *   <script type="module" src="https://login.example.com/saoma-callback.js"></script>
 */

const words = {
  en: ['You can close this window.', 'Nothing to do here: no login has come back to this page.'],
  zh: ['您可以关闭此窗口。', '此处无事可做：没有登录返回到这个页面。'],
} as const

const [over, nothing] = words[/^zh\b/i.test(navigator.language) ? 'zh' : 'en']
// Most windows are gone before anybody could read it.
const told = document.createElement('p')
told.textContent = answerLogin() ? over : nothing
document.body.append(told)
