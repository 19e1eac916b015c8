/** The callbacks of almost every function of `wx`. */
export interface Callbacks<T extends object = object> {
  success?: (result: T & { errMsg: string }) => void
  fail?: (error: { errMsg: string }) => void
  complete?: (result: { errMsg: string }) => void
}

export const succeed = <T extends object>(name: string, callbacks: Callbacks<T>, result: T): void => {
  const told = { ...result, errMsg: `${name}:ok` }
  callbacks.success?.(told)
  callbacks.complete?.(told)
}

export const failWith = (name: string, callbacks: Callbacks<never>, why: string): void => {
  const told = { errMsg: `${name}:fail ${why}` }
  callbacks.fail?.(told)
  callbacks.complete?.(told)
}
