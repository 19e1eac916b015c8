/** A time of day in the format of the page's language, with the date if that was another day. */
export const clock = (time: number): string => {
  const then = new Date(time)
  const lang = document.documentElement.lang
  const hours = then.toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit' })
  return then.toDateString() === new Date().toDateString()
    ? hours
    : `${then.toLocaleDateString(lang, { month: 'short', day: 'numeric' })} ${hours}`
}
