const two = (n: number): string => String(n).padStart(2, '0')

/**
 * A time of day, and the date before it when that was another day. By hand: not every phone's WeChat has
 * Intl.
 */
export const clock = (time: number, now: number): string => {
  const then = new Date(time)
  const hours = `${two(then.getHours())}:${two(then.getMinutes())}`
  const isToday = then.toDateString() === new Date(now).toDateString()
  return isToday ? hours : `${then.getMonth() + 1}/${then.getDate()} ${hours}`
}
