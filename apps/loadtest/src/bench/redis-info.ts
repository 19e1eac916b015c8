import type { Connection } from '@saoma/redis'

/** The numbers of a section of Redis's INFO, by name. */
export const redisInfo = async (connection: Connection, section: string): Promise<Record<string, number>> => {
  const text = String(await connection.call('INFO', section))
  const pairs = text.split('\r\n').map((line) => line.split(':'))
  return Object.fromEntries(pairs.map(([name = '', value]) => [name, Number(value)]))
}
