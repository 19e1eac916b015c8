const two = (n: number): string => String(n).padStart(2, '0')

/**
 * A time of day, preceded by the date if that was another day. Formatted by hand, because WeChat on some
 * phones has no Intl.
 */
export const clock = (time: number, now: number): string => {
  const then = new Date(time)
  const hours = `${two(then.getHours())}:${two(then.getMinutes())}`
  const isToday = then.toDateString() === new Date(now).toDateString()
  return isToday ? hours : `${then.getMonth() + 1}/${then.getDate()} ${hours}`
}
