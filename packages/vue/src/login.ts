import type { Failure } from '@saoma/client'
import { attachLogin, attributesOf, type LoginProps } from '@saoma/client/components'
import type { TokenSet } from '@saoma/protocol'
import { defineComponent, h, onBeforeUnmount, onMounted, type PropType, shallowRef } from 'vue'
import { useOptionalSaoma } from './plugin.ts'

/**
 * `<saoma-login>`: the whole login as one card. With the plugin its session gets the tokens. It works without
 * one, too: then the event `login` is all that tells of them.
 *
 * @example
 * ```vue
 * <script setup lang="ts">
 * import { SaomaLogin } from '@saoma/vue'
 * import type { TokenSet } from '@saoma/protocol'
 *
 * const onLogin = (tokens: TokenSet) => console.log(tokens.token_type) // -> Bearer
 * </script>
 *
 * <template>
 *   <SaomaLogin @login="onLogin" />
 * </template>
 * <!-- shows: You are logged in -->
 * ```
 */
export const SaomaLogin = defineComponent({
  name: 'SaomaLogin',
  props: {
    origin: String,
    clientId: String,
    redirectUri: String,
    mode: String as PropType<NonNullable<LoginProps['mode']>>,
    scope: String,
    ticket: String,
    lang: String,
    remember: Boolean,
    samePhone: String as PropType<NonNullable<LoginProps['samePhone']>>,
  },
  emits: {
    login: (_tokens: TokenSet) => true,
    failure: (_failure: Failure) => true,
  },
  setup: (props, { emit }) => {
    const saoma = useOptionalSaoma()
    const element = shallowRef<HTMLElement>()
    let detach = () => {}

    const listener = {
      onLogin: (tokens: TokenSet) => emit('login', tokens),
      onFailure: (failure: Failure) => emit('failure', failure),
    }

    onMounted(() => {
      if (!element.value) return
      detach = attachLogin(
        element.value,
        saoma?.session,
        () => import('@saoma/client/element'),
        () => listener,
      )
    })
    onBeforeUnmount(() => detach())

    return () => {
      const attributes = attributesOf({ ...props, origin: props.origin ?? saoma?.origin })
      return h('saoma-login', { ...attributes, ref: element })
    }
  },
})
