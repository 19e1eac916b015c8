import { html, type TemplateResult } from 'lit'
import { type Language, language, speak } from './language.ts'

const names: Record<Language, string> = { en: 'English', zh: '中文' }

const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="8" />
  <path d="M8 12.5v-3A1.5 1.5 0 0 1 9.5 8h3m7 0h3A1.5 1.5 0 0 1 24 9.5v3m0 7v3a1.5 1.5 0 0 1-1.5 1.5h-3m-7 0h-3A1.5 1.5 0 0 1 8 22.5v-3M8 16h16" />
</svg>`

/** The header of every page: the brand on one side, the languages on the other. */
export const header = (onLanguage: () => void): TemplateResult => html`
  <header class="top">
    <a class="brand" href="/">${mark}<span>Saoma</span><span class="zh-name" lang="zh-CN">扫码</span></a>
    <div class="languages" role="group" aria-label="Language / 语言">
      ${(Object.keys(names) as Language[]).map(
        (name) => html`<button
          type="button"
          lang=${name === 'zh' ? 'zh-CN' : 'en'}
          aria-pressed=${name === language()}
          @click=${() => {
            speak(name)
            onLanguage()
          }}
        >
          ${names[name]}
        </button>`,
      )}
    </div>
  </header>
`
