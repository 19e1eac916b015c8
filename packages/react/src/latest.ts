import { type RefObject, useLayoutEffect, useRef } from 'react'

/** What the last finished rendering gave: listeners that outlive a rendering read it. */
export const useLatest = <T>(value: T): RefObject<T> => {
  const latest = useRef(value)
  useLayoutEffect(() => {
    latest.current = value
  })
  return latest
}
