import { attachLogin, attributesOf, type LoginListener, type LoginProps } from '@saoma/client/components'
import { createElement, type ReactElement, useEffect, useRef } from 'react'
import { useLatest } from './latest.ts'
import { useOptionalSaoma } from './provider.ts'

/** Attributes and listeners of the login; each has a default. */
export interface SaomaLoginProps extends LoginProps, Pick<LoginListener, 'onLogin' | 'onFailure'> {
  className?: string
}

/**
 * `<saoma-login>`: the whole login as one card. Below a `<SaomaProvider>` the provider's session gets the
 * tokens. It works without one, too: then `onLogin` is all that hears of them.
 *
 * @example
 * ```tsx
 * import { SaomaLogin } from '@saoma/react'
 *
 * export const Login = () => (
 *   <SaomaLogin
 *     onLogin={(tokens) => console.log(tokens.token_type)} // -> Bearer
 *     onFailure={({ code, message }) => console.error(code, message)}
 *   />
 * )
 * // shows: You are logged in
 * ```
 */
export const SaomaLogin = ({ onLogin, onFailure, className, ...props }: SaomaLoginProps): ReactElement => {
  const saoma = useOptionalSaoma()
  const element = useRef<HTMLElement>(null)
  const latest = useLatest<LoginListener>({ onLogin, onFailure })
  const session = saoma?.session

  useEffect(() => {
    if (!element.current) return
    return attachLogin(
      element.current,
      session,
      () => import('@saoma/client/element'),
      () => latest.current,
    )
  }, [session, latest])

  return createElement<Record<string, unknown>>('saoma-login', {
    ...attributesOf({ ...props, origin: props.origin ?? saoma?.origin }),
    ...(className ? { className } : {}),
    ref: element,
  })
}
