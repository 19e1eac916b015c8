import { createSession } from '@saoma/client'
import { createSaoma } from '@saoma/vue'
import { type Component, createApp } from 'vue'

/**
 * Shows the component that an example is, in an application with the plugin and the session of this browser.
 * An example that exports nothing has made its own application.
 */
export const mount = (example: { default?: Component }, origin: string): void => {
  if (!example.default) return
  createApp(example.default)
    .use(createSaoma({ origin, session: createSession({ origin }) }))
    .mount('#app')
}
