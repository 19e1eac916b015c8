import { useData, withBase } from 'vitepress'
import { defineComponent, h } from 'vue'

/** Leads to the page in the other language, or to its home page where there is none. */
export const LanguageLink = defineComponent({
  setup() {
    const { frontmatter, lang } = useData<{ otherLanguage?: string }>()
    return () => {
      const isChinese = lang.value.startsWith('zh')
      const href = withBase(frontmatter.value.otherLanguage ?? (isChinese ? '/' : '/zh/'))
      return h(
        'a',
        { class: 'language-link', href, hreflang: isChinese ? 'en' : 'zh-CN' },
        isChinese ? 'English' : '中文',
      )
    }
  },
})
