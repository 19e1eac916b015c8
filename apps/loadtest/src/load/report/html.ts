import type { Result } from '../result.ts'
export const htmlReport = async (result: Result): Promise<string> => JSON.stringify(result)
