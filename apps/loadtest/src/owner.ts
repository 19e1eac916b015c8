/** The account that scans and confirms every ticket of the benchmark. */
export const owner = 'bench'
