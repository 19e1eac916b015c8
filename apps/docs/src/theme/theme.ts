import type { Theme } from 'vitepress'
// Without the fonts of VitePress: those of the system have Chinese, too.
import DefaultTheme from 'vitepress/theme-without-fonts'
import { h } from 'vue'
import { LanguageLink } from './language-link.ts'
import './style.css'

/** VitePress's own theme, with a link between the languages and Saoma's colour. */
export const theme: Theme = {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, null, {
      'nav-bar-content-after': () => h(LanguageLink),
      'nav-screen-content-after': () => h(LanguageLink),
    }),
}
